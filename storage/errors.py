"""What can go wrong between the log and Postgres, told apart by what has to happen next."""


class StorageError(Exception):
    """Something about Postgres that trying again does not cure; the text says what to do."""


class UnknownSchemaError(StorageError):
    """The database's schema is not the one that this program was written for."""


class FencedError(StorageError):
    """Another worker has taken over the partition: what this one wanted to write was not written."""


class OutOfPlaceError(StorageError):
    """A batch does not begin where Postgres says that the topic goes on."""


class RowError(ValueError):
    """A value of an event cannot stand in its column; the event becomes a dead letter."""


class BusyError(StorageError):
    """Another operator has the turn; nothing was changed."""
