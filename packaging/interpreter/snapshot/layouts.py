"""Where the fields of Rust's objects lie, and so what of them is padding.

A compiler that moves a value copies its padding, too, and the payload of a variant that it is not: whatever the stack
held there.  In an image that would be addresses of the process that recorded it, others with each compiler.  The
compiler's own debug information tells fields from padding, which is cleared.

The layouts of PyO3's classes and of all static variables are kept with the stage, as JSON:

    node    = SIZE                                            a number, a pointer: all of it is a field
            | {"size": BYTES, "fields": [[OFFSET, NAME, node]...], "choices": [choice...]}
            | {"of": node, "stride": BYTES, "count": N}       an array
    choice  = {"tag": [OFFSET, SIZE], "variants": {"VALUE" or "": [[OFFSET, NAME, node]...]}}

The tag of an enum says which variant's fields there are; "" is that of all other values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interpreter.snapshot import dwarf
from interpreter.snapshot.dwarf import Entry

#: What PyO3 calls an object of a class, and the variable that holds the class.
OBJECT = re.compile(r"Py(?:Static)?ClassObject<(.*)>")
CLASS = re.compile(r"LazyTypeObject<(.*)>")

Node = Any  # int | dict[str, Any], as above


@dataclass(frozen=True)
class Leaf:
    """A field that is a number or a pointer: bytes from the beginning of what it is part of."""

    offset: int
    size: int
    path: str


@dataclass(frozen=True)
class Layouts:
    """The layouts of a program's Rust.

    statics: symbol -> what lies there
    classes: the symbol of the variable that holds a class -> an object of it
    """

    statics: dict[str, Node]
    classes: dict[str, Node]

    @classmethod
    def load(cls, path: Path) -> Layouts:
        """Out of the stage's folder."""
        return cls(**json.loads(path.read_text()))

    def save(self, path: Path) -> None:
        """Into the stage's folder."""
        text = json.dumps({"statics": self.statics, "classes": self.classes}, sort_keys=True)
        path.write_text(text)


def read(*objects: bytes) -> Layouts:
    """The layouts that object files' debug information has."""
    found = Layouts({}, {})
    for data in objects:
        _read_object(data, found)
    return found


def _read_object(data: bytes, found: Layouts) -> None:
    entries = dwarf.read(data)
    types = _Types(entries)
    objects: dict[str, Node] = {}
    for entry in entries.values():
        match = OBJECT.fullmatch(_name(entry)) if entry.tag == dwarf.STRUCTURE else None
        if match and "size" in entry.values:
            objects[match[1]] = types.node(entry.offset)
    for entry in entries.values():
        symbol, type_at = entry.values.get("symbol"), entry.values.get("type")
        if entry.tag != dwarf.VARIABLE or symbol is None or type_at is None:
            continue
        found.statics[symbol] = types.node(type_at)
        match = CLASS.fullmatch(_name(entries.get(type_at)))
        if match and match[1] in objects:
            found.classes[symbol] = objects[match[1]]


def _name(entry: Entry | None) -> str:
    return str(entry.values.get("name", "")) if entry else ""


class _Types:
    """Nodes of types, each made once."""

    def __init__(self, entries: dict[int, Entry]) -> None:
        self._entries = entries
        self._made: dict[int, Node] = {}

    def node(self, at: int | None) -> Node:
        """The node of the type whose entry is at that offset."""
        entry = self._entries.get(at) if at is not None else None
        if entry is None:
            return 0  # (), or C's void
        if entry.offset not in self._made:
            self._made[entry.offset] = self._make(entry)
        return self._made[entry.offset]

    def _make(self, entry: Entry) -> Node:
        if entry.tag in (dwarf.STRUCTURE, dwarf.UNION):
            return {
                "size": _size(entry),
                "fields": self._members(entry),
                "choices": self._choices(entry),
            }
        if entry.tag == dwarf.ARRAY:
            return self._array(entry)
        if entry.tag == dwarf.TYPEDEF:
            return self.node(entry.values.get("type"))
        if entry.tag in (dwarf.POINTER, dwarf.SUBROUTINE):
            return _size(entry, 8)
        return _size(entry)  # BASE, ENUMERATION

    def _members(self, entry: Entry) -> list[list[Any]]:
        return [
            [one.values.get("offset", 0), _name(one), self.node(one.values.get("type"))]
            for one in entry.inner
            if one.tag == dwarf.MEMBER
        ]

    def _choices(self, entry: Entry) -> list[dict[str, Any]]:
        made = []
        for part in entry.inner:
            if part.tag != dwarf.VARIANT_PART:
                continue
            tag = self._entries.get(part.values.get("discriminant", -1))
            place = [0, 0]  # an enum of one variant has no tag
            if tag is not None:
                size = self.node(tag.values.get("type"))
                place = [tag.values.get("offset", 0), size if isinstance(size, int) else 0]
            variants: dict[str, Any] = {}
            for one in part.inner:
                if one.tag == dwarf.VARIANT:
                    value = one.values.get("value")
                    key = "" if value is None else str(value & ((1 << (8 * place[1])) - 1))
                    variants.setdefault(key, []).extend(self._members(one))
            made.append({"tag": place, "variants": variants})
        return made

    def _array(self, entry: Entry) -> Node:
        of, count = self.node(entry.values.get("type")), 1
        for one in entry.inner:
            if one.tag == dwarf.SUBRANGE:
                last = one.values.get("upper_bound")
                count *= one.values.get("count", 0) if last is None else last + 1
        return {"of": of, "stride": size(of), "count": count}


def _size(entry: Entry, otherwise: int = 0) -> int:
    return int(entry.values.get("size", otherwise))


def leaves(node: Node, data: bytes | bytearray, offset: int = 0, path: str = "") -> Iterator[Leaf]:
    """The fields of what lies at `offset` of `data`, in the variants that it is."""
    if isinstance(node, int):
        if node:
            yield Leaf(offset, node, path)
    elif "of" in node:
        for i in range(node["count"]):
            yield from leaves(node["of"], data, offset + i * node["stride"], f"{path}[{i}]")
    else:
        yield from _fields(node["fields"], data, offset, path)
        for choice in node["choices"]:
            yield from _chosen(choice, data, offset, path)


def _fields(fields: list[Any], data: bytes | bytearray, offset: int, path: str) -> Iterator[Leaf]:
    for place, name, inner in fields:
        yield from leaves(inner, data, offset + place, f"{path}.{name}" if path else name)


def _chosen(choice: Any, data: bytes | bytearray, offset: int, path: str) -> Iterator[Leaf]:
    place, size = choice["tag"]
    variants = choice["variants"]
    if size:
        place += offset
        yield Leaf(place, size, f"{path}.tag")
        value = int.from_bytes(data[place : place + size], "little")
        fields = variants.get(str(value), variants.get("", []))
        yield from _fields(fields, data, offset, path)
    else:
        for fields in variants.values():
            yield from _fields(fields, data, offset, path)


def size(node: Node) -> int:
    """How many bytes it is, with the padding at its end."""
    if isinstance(node, int):
        return node
    return int(node["stride"] * node["count"] if "of" in node else node["size"])


def clear_padding(node: Node, data: bytearray, offset: int) -> list[Leaf]:
    """Clear what of the thing at `offset` is no field; the fields."""
    fields = list(leaves(node, data, offset))
    end = offset + size(node)
    kept = bytearray(end - offset)
    for leaf in fields:
        stop = leaf.offset + leaf.size
        kept[leaf.offset - offset : stop - offset] = data[leaf.offset : stop]
    data[offset:end] = kept
    return fields
