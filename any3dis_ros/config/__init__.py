"""Every parameter of the method: one dataclass a stage, the single home of every default.

YAML files, command-line options, the parameter table of the README and ROS parameter descriptors are derived from
the fields here. A field carries its description (unit first, then source), its range or its choices.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from any3dis_ros.config.node import NodeConfig
from any3dis_ros.config.objects import AssociationConfig, EvaluationConfig, OutputConfig
from any3dis_ros.config.proposals import IterationConfig, MergingConfig, NetworkConfig, RefinementConfig
from any3dis_ros.config.scene import InputConfig, KeyframeConfig, MapConfig, SuperpointConfig, VisibilityConfig
from any3dis_ros.config.tracking import GeometricConfig, Sam2Config, SeedingConfig, TrackerConfig
from any3dis_ros.parameters import Section

__all__ = [
    "AssociationConfig",
    "Config",
    "EvaluationConfig",
    "GeometricConfig",
    "InputConfig",
    "IterationConfig",
    "KeyframeConfig",
    "MapConfig",
    "MergingConfig",
    "NetworkConfig",
    "NodeConfig",
    "OutputConfig",
    "RefinementConfig",
    "Sam2Config",
    "SeedingConfig",
    "SuperpointConfig",
    "TrackerConfig",
    "VisibilityConfig",
]


@dataclass(frozen=True)
class Config(Section):
    """All parameters of a segmentation."""

    input: InputConfig = field(default_factory=InputConfig)
    keyframes: KeyframeConfig = field(default_factory=KeyframeConfig)
    map: MapConfig = field(default_factory=MapConfig)
    superpoints: SuperpointConfig = field(default_factory=SuperpointConfig)
    visibility: VisibilityConfig = field(default_factory=VisibilityConfig)
    seeding: SeedingConfig = field(default_factory=SeedingConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    refinement: RefinementConfig = field(default_factory=RefinementConfig)
    merging: MergingConfig = field(default_factory=MergingConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    iteration: IterationConfig = field(default_factory=IterationConfig)
    association: AssociationConfig = field(default_factory=AssociationConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
