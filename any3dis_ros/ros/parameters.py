"""The parameters of `config` as ROS 2 parameters: declared with their descriptions, checked, read back.

The rules and the sentences of refusal are those of every other way to configure. Each parameter is dynamically typed,
because rclpy refuses an int where a double is declared; the checks here keep the types.
"""

from __future__ import annotations

import difflib
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from any3dis_ros.config import Config, NodeConfig
from any3dis_ros.errors import InputError
from any3dis_ros.parameters import Parameter, from_mapping, parameters

log = logging.getLogger(__name__)

_OF_NODE = {p.name: p for p in parameters(NodeConfig)}
_OF_METHOD = {p.name: p for p in parameters(Config)}
_ALL = _OF_NODE | _OF_METHOD
_FIXED = ("input", "keyframes")  # sections that what is in memory already was made by
_OF_RCLPY = ("use_sim_time", "start_type_description_service", "qos_overrides")
_INT64_MAX = 2**63 - 1


def declare(node: Any) -> None:
    """Declare every parameter on a node that was made with automatically_declare_parameters_from_overrides.

    What was given and is no parameter is told and forgotten: a file for many nodes may hold another's.

    Raises:
        InputError: a value that was given is not allowed.
    """
    given = {name: parameter.value for name, parameter in node.get_parameters_by_prefix("").items()}
    for name in [n for n in given if n not in _ALL and n.partition(".")[0] not in _OF_RCLPY]:
        close = difflib.get_close_matches(name, _ALL, n=1, cutoff=0.0)[0]
        log.warning("parameter '%s' is unknown and ignored; did you mean '%s'?", name, close)
        node.undeclare_parameter(name)
    _checked({name: value for name, value in given.items() if name in _ALL})
    for name, p in _ALL.items():
        if name in given:
            node.set_descriptor(name, descriptor(p))
        else:
            node.declare_parameter(name, p.default, descriptor(p), ignore_override=True)


def descriptor(p: Parameter) -> ParameterDescriptor:
    """Return the description, range and choices of a parameter as ROS tools show them."""
    out = ParameterDescriptor(name=p.name, description=p.doc, dynamic_typing=True)
    if p.choices:
        out.additional_constraints = f"one of {', '.join(p.choices)}"
    if p.kind is int and p.low is not None:
        high = _INT64_MAX if p.high is None else int(p.high)
        out.integer_range = [IntegerRange(from_value=int(p.low), to_value=high, step=0)]
    if p.kind is float and p.low is not None:
        high_double = sys.float_info.max if p.high is None else float(p.high)
        out.floating_point_range = [FloatingPointRange(from_value=float(p.low), to_value=high_double, step=0.0)]
    if _is_fixed(p.name):
        fixed = "fixed while the node is configured"
        out.additional_constraints = "; ".join(filter(None, [out.additional_constraints, fixed]))
    return out


def refusal(changes: Sequence[Any], configured: bool) -> str:
    """Return why a change of parameters (rclpy's) is not allowed, empty where it is.

    Args:
        changes: name and value of each; names that are none of ours are left to rclpy.
        configured: whether the node is past unconfigured, where some cannot change any more.
    """
    ours = {p.name: p.value for p in changes if p.name in _ALL}
    fixed = [name for name in ours if _is_fixed(name)] if configured else []
    try:
        _checked(ours)
    except InputError as error:
        return str(error)
    if fixed:
        return (
            f"parameter '{fixed[0]}' cannot change while the node is configured: topics and keyframes were made "
            "with it; clean the node up first (ros2 lifecycle set <node> deactivate, cleanup), or start it with it"
        )
    return ""


def configuration(node: Any) -> Config:
    """Return the parameters of the method as they stand now."""
    return from_mapping(_values(node, _OF_METHOD), Config())


def node_configuration(node: Any) -> NodeConfig:
    """Return the parameters of the node as they stand now."""
    return from_mapping(_values(node, _OF_NODE), NodeConfig())


def _values(node: Any, names: Mapping[str, Parameter]) -> dict[str, Any]:
    return {p.name: p.value for p in node.get_parameters(list(names))}


def _checked(values: Mapping[str, Any]) -> None:
    """Raise InputError for what is not allowed."""
    from_mapping({n: v for n, v in values.items() if n in _OF_METHOD}, Config())
    from_mapping({n: v for n, v in values.items() if n in _OF_NODE}, NodeConfig())


def _is_fixed(name: str) -> bool:
    """Whether a parameter cannot change while the node is configured."""
    if name in _OF_NODE:
        return name not in ("cloud_colors", "point_indices")
    return name.partition(".")[0] in _FIXED
