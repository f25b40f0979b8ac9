"""`store.links`: from the document that a store's owner writes to a `StoreLink` (DOMAIN 2)."""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from topics.decoders import lenient, record, wire
from topics.errors import ContractError, shown
from topics.ids import OutletId
from topics.links import Outlet, Processor, StoreLink
from topics.numbers import ZERO, exact
from topics.statuses import ABANDONED, FULFILLMENT_STATUSES, PAYMENT_STATUSES

MAX_PRECISION = 4
SHOWN_KEY = 40
_WITHOUT_CENTS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV"}
    | {"XAF", "XOF", "XPF"}
)
_IN_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_REVERSING = frozenset({"lightspeed payments", "lightspeedpayments"})
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")
_CURRENCY = re.compile(r"[A-Z]{3}")

Choice = TypeVar("Choice", bound=str)
Value = TypeVar("Value")


def decode_link(value: bytes | None) -> StoreLink:
    """Return the store's link; ContractError names the field otherwise.

    A record without a value removes the link: the caller asks for that first, here it is `empty_record`.
    """
    tree = wire.parse(wire.body(value))
    tree, path = record.unwrapped(tree)
    if not isinstance(tree, dict):
        raise ContractError("wrong_type", "an object is due", field=path or None, value=shown(tree))
    return _Document(tree, path).link()


def default_precision(currency: str) -> int:
    """Return how many decimals the currency's smallest coin has (ISO 4217)."""
    if currency in _WITHOUT_CENTS:
        return 0
    return 3 if currency in _IN_THOUSANDTHS else 2


class _Document:
    """A JSON object with its path; remembers the fields whose text was mended."""

    def __init__(self, tree: dict[str, Any], path: str, mended: list[str] | None = None) -> None:
        self.tree = tree
        self.path = path
        self.mended: list[str] = [] if mended is None else mended

    def at(self, field: str) -> str:
        return f"{self.path}.{field}" if self.path else field

    def at_key(self, field: str, key: str) -> str:
        """Return the path of an entry of a map whose keys the sender chose: mended and bounded."""
        return f"{self.at(field)}.{lenient.mend(key, '', [])[:SHOWN_KEY]}"

    def get(self, field: str, read: Callable[[Any, str, list[str]], Value]) -> Value:
        return read(self.tree.get(field), self.at(field), self.mended)

    def id(self, field: str) -> str | None:
        return record.identifier(self.get(field, lenient.identity), self.at(field))

    def link(self) -> StoreLink:
        currency = (self.id("currency") or "").upper()
        if not currency:
            raise record.missing(self.at("currency"))
        if not _CURRENCY.fullmatch(currency):
            raise ContractError("bad_value", "a code of three letters is due", field=self.at("currency"))
        policy = self.id("policy")
        return StoreLink(
            currency=currency,
            currency_precision=self._precision(currency),
            time_zone=self._zone(),
            register=self.id("register"),
            outlets=self._outlets(),
            shipping_methods=self._outlet_of("shipping_methods"),
            locations=self._outlet_of("locations"),
            processors=self._processors(),
            offline_payment=self._choice("offline_payment", ("unpaid", "as_recorded")),
            oversell=self._choice("oversell", ("allow", "restrict")),
            payment_statuses=self._statuses("payment_statuses", PAYMENT_STATUSES),
            fulfillment_statuses=self._statuses("fulfillment_statuses", FULFILLMENT_STATUSES),
            levels_include_open_orders=self.get("levels_include_open_orders", lenient.flag) or False,
            policy="lightspeed" if policy is None else policy.lower(),
            repaired=tuple(dict.fromkeys(self.mended)),
        )

    def _precision(self, currency: str) -> int:
        precision = self.get("currency_precision", lenient.whole)
        if precision is None:
            return default_precision(currency)
        if not 0 <= precision <= MAX_PRECISION:
            raise ContractError(
                "bad_number",
                f"not between 0 and {MAX_PRECISION}",
                field=self.at("currency_precision"),
                value=shown(precision),
            )
        return precision

    def _zone(self) -> str:
        zone = record.plain(self.get("time_zone", lenient.text))
        if zone is None:
            return "UTC"
        if not _ZONE.fullmatch(zone):
            raise ContractError(
                "bad_value", "a time zone's name is due, as Pacific/Auckland", field=self.at("time_zone")
            )
        return zone

    def _choice(self, field: str, choices: tuple[Choice, ...]) -> Choice:
        """Return the choice that the field names, in any case; the first one when it is absent."""
        word = record.plain(self.get(field, lenient.text))
        if word is None:
            return choices[0]
        for choice in choices:
            if word.lower() == choice:
                return choice
        raise ContractError(
            "bad_value", f"not one of {', '.join(choices)}", field=self.at(field), value=shown(word)
        )

    def _objects(self, field: str) -> list["_Document"]:
        found = self.tree.get(field)
        if found is None or found == {}:
            return []
        if not isinstance(found, list):
            raise lenient.refuse(self.at(field), "a list", found)
        documents = []
        for place, element in enumerate(found):
            path = f"{self.at(field)}[{place}]"
            if lenient.absent(element):
                continue
            if not isinstance(element, dict):
                raise lenient.refuse(path, "an object", element)
            documents.append(_Document(element, path, self.mended))
        return documents

    def _outlets(self) -> tuple[Outlet, ...]:
        outlets: dict[str, Outlet] = {}
        for document in self._objects("outlets"):
            outlet = document._outlet()
            if outlet.id in outlets:
                raise ContractError(
                    "bad_value", "an outlet of this id is there already", field=document.at("id")
                )
            outlets[outlet.id] = outlet
        return tuple(outlets.values())

    def _outlet(self) -> Outlet:
        outlet_id = self.id("id")
        if outlet_id is None:
            raise record.missing(self.at("id"))
        safety_stock = exact(self.get("safety_stock", lenient.number) or ZERO)
        if safety_stock < ZERO:
            raise ContractError(
                "bad_number",
                "a safety stock cannot be negative",
                field=self.at("safety_stock"),
                value=shown(safety_stock),
            )
        connected = self.get("connected", lenient.flag)
        return Outlet(
            id=OutletId(outlet_id),
            name=record.plain(self.get("name", lenient.text)) or "",
            connected=True if connected is None else connected,
            priority=self.get("priority", lenient.whole) or 0,
            safety_stock=safety_stock,
        )

    def _outlet_of(self, field: str) -> dict[str, OutletId]:
        """Return the map of an eCom id to an outlet; ids in its keys are mended like any text."""
        outlet_of: dict[str, OutletId] = {}
        for name, path, value in self._entries(field):
            outlet = record.identifier(lenient.identity(value, path, self.mended), path)
            if outlet is not None:
                outlet_of[name] = OutletId(outlet)
        return outlet_of

    def _entries(self, field: str) -> Iterator[tuple[str, str, Any]]:
        """Yield each entry of a map with its name, mended, and its path; those without a name are absent."""
        found = self.tree.get(field)
        if lenient.absent(found):
            return
        if not isinstance(found, dict):
            raise lenient.refuse(self.at(field), "an object", found)
        for key, value in found.items():
            name = record.identifier(lenient.mend(key, self.at(field), self.mended), self.at(field))
            if name is not None:
                yield name, self.at_key(field, key), value

    def _statuses(self, field: str, known: tuple[str, ...]) -> dict[str, str]:
        """Return which known status each custom one stands for, both in upper case."""
        stands_for: dict[str, str] = {}
        for name, path, value in self._entries(field):
            custom = name.upper()
            status = (record.plain(lenient.text(value, path, self.mended)) or "").upper()
            if not status:
                continue
            if status not in known:
                raise record.unknown(status, path, known)
            if custom in known or custom == ABANDONED:
                raise ContractError("bad_value", "this status has a meaning of its own", field=path)
            if stands_for.setdefault(custom, status) != status:
                raise ContractError("bad_value", "this status is there already", field=path)
        return stands_for

    def _processors(self) -> tuple[Processor, ...] | None:
        """Return the processors: names, `{name, reversal}` objects, or an object of name to either."""
        found = self.tree.get("processors")
        path = self.at("processors")
        if found is None:
            return None
        if isinstance(found, dict):
            entries = [(self.at_key("processors", name), name, reversal) for name, reversal in found.items()]
        elif isinstance(found, list):
            entries = [
                (f"{path}[{place}]", entry.get("name"), entry)
                if isinstance(entry, dict)
                else (f"{path}[{place}]", entry, None)
                for place, entry in enumerate(found)
                if not lenient.absent(entry)
            ]
        else:
            raise lenient.refuse(path, "a list", found)
        return tuple(self._processor(place, name, reversal) for place, name, reversal in entries)

    def _processor(self, path: str, named: Any, reversal: Any) -> Processor:
        name = record.identifier(lenient.identity(named, path, self.mended), path)
        if name is None:
            raise record.missing(f"{path}.name")
        if isinstance(reversal, dict):
            path, reversal = f"{path}.reversal", reversal.get("reversal")
        reverses = None if lenient.absent(reversal) else lenient.flag(reversal, path, self.mended)
        if reverses is None:
            reverses = name.lower() in _REVERSING  # the only one that gives the money back (DOMAIN S11)
        return Processor(name=name, reversal=reverses)
