"""Object stores: buckets of S3 and containers of Azure Blob behind one small interface (:mod:`ess.stores.store`).

Credentials come from where each vendor's own programs find them, never from an address or an argument, and no message
repeats what a store has said: it may hold a signed address.
"""
