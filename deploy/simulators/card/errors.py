"""Refused calls: one exception, and the sentences that the processor says.

ApiError            carries a `Refusal`
`-- Invalid         parameters failed validation: nothing was executed, nothing is kept under an idempotency key
"""

from deploy.simulators.card.objects import Intent, Problem, Refusal


class ApiError(Exception):
    """A call that ends in an error answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.problem.message)
        self.refusal = refusal


class Invalid(ApiError):
    """The parameters failed validation."""

    def __init__(self, message: str, code: str | None = None, param: str | None = None) -> None:
        super().__init__(invalid_request(message, code=code, param=param))


def invalid_request(
    message: str, *, status: int = 400, code: str | None = None, param: str | None = None, intent: Intent | None = None
) -> Refusal:
    """Return an `invalid_request_error`."""
    problem = Problem(type="invalid_request_error", message=message, code=code, param=param, payment_intent=intent)
    return Refusal(status, problem)


def missing(kind: str, object_id: str, param: str, status: int = 404) -> ApiError:
    """Return the error for an id that names nothing: 404 in a path, 400 in a parameter."""
    return ApiError(
        invalid_request(f"No such {kind}: '{object_id}'", status=status, code="resource_missing", param=param)
    )


def no_such_url(method: str, path: str) -> ApiError:
    return ApiError(invalid_request(f"Unrecognized request URL ({method}: {path}).", status=404))


def no_key() -> ApiError:
    return ApiError(invalid_request("You did not provide an API key.", status=401))


def wrong_key(key: str) -> ApiError:
    masked = key[:8] + "*" * max(0, len(key) - 12) + key[-4:] if len(key) > 12 else "*" * len(key)
    return ApiError(invalid_request(f"Invalid API Key provided: {masked}", status=401))


def key_in_use(key: str) -> ApiError:
    text = f"There is currently another in-progress request using the idempotency key '{key}'. Please try again later."
    return ApiError(Refusal(409, Problem(type="idempotency_error", message=text, code="idempotency_key_in_use")))


def key_used_otherwise(key: str) -> ApiError:
    text = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    return ApiError(Refusal(400, Problem(type="idempotency_error", message=text)))


def too_many_requests() -> Refusal:
    text = "Request rate limit exceeded."
    return Refusal(429, Problem(type="invalid_request_error", message=text, code="rate_limit"))


def lock_timeout() -> Refusal:
    text = "This object cannot be accessed right now because another API request is currently accessing it."
    return Refusal(409, Problem(type="invalid_request_error", message=text, code="lock_timeout"))


def broken() -> Refusal:
    """Return the 500 whose outcome the caller cannot know."""
    return Refusal(500, Problem(type="api_error", message="An unknown error occurred."))
