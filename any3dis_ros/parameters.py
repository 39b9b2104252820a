"""The machinery behind `config`: declared, checked, listed, and read from names, mappings and YAML."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml

from any3dis_ros.errors import InputError

_KINDS = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")  # YAML 1.1 takes 1e-3 for a text

_YAML_HEAD = "# Every parameter at its default; keep the lines you change."

T = TypeVar("T")
S = TypeVar("S", bound="Section")


def param(
    default: T,
    doc: str,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> T:
    """Declare a parameter with its description and its inclusive range or its choices."""
    metadata = {"doc": doc, "low": low, "high": high, "choices": choices}
    value: T = field(default=default, metadata=metadata)
    return value


class Section:
    """A group of parameters: a frozen dataclass whose fields are declared by :func:`param`, checked on construction."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            if not dataclasses.is_dataclass(hints[f.name]):
                object.__setattr__(self, f.name, _checked(f, hints[f.name], getattr(self, f.name)))


def _checked(f: dataclasses.Field[Any], kind: type, value: Any) -> Any:
    """Return `value` as `kind` (an int or 1e-3 where a float is declared is accepted) or raise InputError."""
    if kind is float and isinstance(value, str) and _EXPONENT.fullmatch(value):
        value = float(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 1e300 else math.inf
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        shown = "empty" if value is None else repr(value)
        raise InputError(f"parameter '{f.name}' is {shown}; expected {_KINDS.get(kind, kind.__name__)}")
    low, high, choices = f.metadata["low"], f.metadata["high"], f.metadata["choices"]
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"parameter '{f.name}' is {value}; expected a finite number")
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"at least {low}" if high is None else f"at most {high}" if low is None else f"{low} to {high}"
        raise InputError(f"parameter '{f.name}' is {value}; expected {bounds}")
    if choices and value not in choices:
        raise InputError(f"parameter '{f.name}' is '{value}'; expected one of {', '.join(choices)}")
    return value


@dataclass(frozen=True)
class Parameter:
    """One parameter as a table, a YAML comment or a ROS descriptor shows it."""

    name: str
    kind: type
    default: Any
    doc: str
    low: float | None
    high: float | None
    choices: tuple[str, ...] | None


def parameters(section: type[Section], prefix: str = "") -> Iterator[Parameter]:
    """Yield every parameter by its dotted name, in the order of declaration."""
    hints = get_type_hints(section)
    for f in dataclasses.fields(section):  # type: ignore[arg-type]
        if dataclasses.is_dataclass(hints[f.name]):
            yield from parameters(hints[f.name], f"{prefix}{f.name}.")
        else:
            m = f.metadata
            yield Parameter(prefix + f.name, hints[f.name], f.default, m["doc"], m["low"], m["high"], m["choices"])


def from_mapping(values: Mapping[str, Any], base: S) -> S:
    """Return `base` with the values of nested or dotted names in place of its own.

    Raises:
        InputError: an unknown name (the nearest known one is offered), a wrong type, a value out of range.
    """
    return _replaced(base, _nested(values), "")


def from_yaml(path: Path, base: S, of_node: Collection[str] = ()) -> S:
    """Return `base` with the parameters of a YAML file; one for a ROS node (`/**: ros__parameters:`) serves as well.

    Args:
        path: the file.
        base: what holds for all that the file leaves out.
        of_node: names that a file for a node may hold besides, and that are passed over here.

    Raises:
        InputError: the file cannot be read or parsed; an unknown name, a wrong type, a value out of range.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise InputError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if values is None:
        values = {}
    if not isinstance(values, Mapping):
        raise InputError(f"{path} holds a {type(values).__name__}; expected parameters by name")
    blocks = [b["ros__parameters"] for b in values.values() if isinstance(b, Mapping) and set(b) == {"ros__parameters"}]
    if blocks:
        together: dict[str, Any] = {}
        for block in blocks:
            together = _merged(together, _nested(block) if isinstance(block, Mapping) else {})
        values = {name: value for name, value in together.items() if name not in of_node}
    return from_mapping(values, base)


def to_dict(section: Section) -> dict[str, Any]:
    """Return the nested dictionary of all values."""
    return dataclasses.asdict(section)  # type: ignore[call-overload]


def to_yaml(section: type[Section]) -> str:
    """Return the defaults as commented YAML, ready to be edited and read by :func:`from_yaml`."""
    return "\n".join([_YAML_HEAD, *_yaml_lines(section, "")]) + "\n"


def to_ros_yaml(*sections: type[Section]) -> str:
    """Return the defaults as a commented parameters file for a ROS node of any name."""
    lines = [line for section in sections for line in _yaml_lines(section, "    ")]
    return "\n".join([_YAML_HEAD, "/**:", "  ros__parameters:", *lines]) + "\n"


def to_markdown(section: type[Section]) -> str:
    """Return the defaults as a Markdown table."""
    rows = ["| parameter | default | meaning |", "| --- | --- | --- |"]
    for p in parameters(section):
        value = f"`{p.default}`" if p.default != "" else ""
        meaning = f"{p.doc}{allowed(p)}".replace("|", "\\|")
        rows.append(f"| `{p.name}` | {value} | {meaning} |")
    return "\n".join(rows) + "\n"


def allowed(p: Parameter) -> str:
    """Return the allowed values of a parameter as a bracketed suffix, or nothing."""
    if p.choices:
        return f" [{', '.join(p.choices)}]"
    if p.low is not None and p.high is not None:
        return f" [{p.low:g} to {p.high:g}]"
    return f" [≥ {p.low:g}]" if p.low is not None else ""


def _yaml_lines(section: type[Section], indent: str) -> Iterator[str]:
    """Yield a line for every group and every parameter, this with its description."""
    open_groups: list[str] = []
    for p in parameters(section):
        *groups, name = p.name.split(".")
        for depth, group in enumerate(groups):
            if open_groups[: depth + 1] != groups[: depth + 1]:
                yield f"{indent}{'  ' * depth}{group}:"
        open_groups = groups
        value = yaml.safe_dump(p.default).replace("\n...\n", "").strip()
        yield f"{indent}{'  ' * len(groups)}{name}: {value}  # {p.doc}{allowed(p)}"


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted names into nested dictionaries."""
    out: dict[str, Any] = {}
    for name, value in values.items():
        head, _, rest = str(name).partition(".")
        entry: Any = _nested({rest: value}) if rest else _nested(value) if isinstance(value, Mapping) else value
        if isinstance(entry, dict) and isinstance(out.get(head), dict):
            out[head] = _merged(out[head], entry)
        else:
            out[head] = entry
    return out


def _merged(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    out = dict(a)
    for name, value in b.items():
        both = isinstance(value, dict) and isinstance(out.get(name), dict)
        out[name] = _merged(out[name], value) if both else value
    return out


def _replaced(section: Any, values: Mapping[str, Any], prefix: str) -> Any:
    known = [f.name for f in dataclasses.fields(section)]
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise InputError(f"unknown parameter '{prefix}{name}'; did you mean '{prefix}{close}'?")
        current = getattr(section, name)
        if dataclasses.is_dataclass(current):
            if not isinstance(value, Mapping):
                some = dataclasses.fields(current)[0].name
                raise InputError(
                    f"'{prefix}{name}' is a group of parameters; set one of them, e.g. {prefix}{name}.{some}"
                )
            value = _replaced(current, value, f"{prefix}{name}.")
        changes[name] = value
    try:
        return dataclasses.replace(section, **changes)
    except InputError as error:
        raise InputError(str(error).replace("parameter '", f"parameter '{prefix}", 1)) from None


def dotted(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the entries of nested mappings by dotted names, as `seconds.tracking`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
