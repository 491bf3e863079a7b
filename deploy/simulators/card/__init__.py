"""The card-processor simulator: the part of the Stripe API that billing uses, with faults on request.

A separate program (`python -m deploy.simulators.card`) on its own store. `intents`, `refunds`, `disputes` and `charges`
decide and know no clock, store or network; `store`, `webhooks`, `timers` and `app` are the shell around them.
"""
