"""The event calls, the net under the webhooks."""

from deploy.simulators.card import lists
from deploy.simulators.card.desk import Call, Desk
from deploy.simulators.card.form import Parameters
from deploy.simulators.card.lists import ListAsk
from deploy.simulators.card.objects import Decision


def _read_retrieve(parameters: Parameters, event_id: str) -> str:
    parameters.only(frozenset({"expand"}))
    return event_id


def _retrieve(desk: Desk, event_id: str) -> Decision:
    return lists.run_retrieve(desk, "event", event_id, "id")


def _read_list(parameters: Parameters, _: str) -> ListAsk:
    parameters.only(lists.PAGING | {"type", "types"}, frozenset({"delivery_success"}))
    kind = parameters.text("type")
    kinds = parameters.texts("types") or ((kind,) if kind else ())
    return lists.read_list(parameters, "event", "/v1/events", {"type": kinds})


RETRIEVE = Call("event_retrieve", _read_retrieve, _retrieve, "event")
LIST = Call("event_list", _read_list, lists.run_list, "event", is_list=True)
