"""The command line: `any3dis segment`, `any3dis evaluate`, `any3dis config`, `any3dis download-checkpoint`.

Exit status: 0 done, 1 a defect, 2 input or configuration that can be mended, 128 + n ended by signal n (Ctrl-C: 130).
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import yaml

from any3dis_ros.arguments import make_parser, read_options
from any3dis_ros.config import Config, EvaluationConfig, NodeConfig
from any3dis_ros.errors import Cancelled, InputError
from any3dis_ros.interrupts import Terminated, termination_raises
from any3dis_ros.parameters import from_mapping, from_yaml, parameters, to_markdown, to_ros_yaml, to_yaml
from any3dis_ros.terminal import LogLines

log = logging.getLogger("any3dis_ros")

OF_RCLPY = ("use_sim_time", "qos_overrides")  # parameters that every node has


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = make_parser().parse_args(arguments)
    return run("any3dis", COMMANDS[options.command], options)


def run(program: str, command: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> int:
    """Run a command and return its exit status; a failure is told in one sentence.

    Args:
        program: name before that sentence.
        command: called with the options.
        options: with `debug` (tracebacks) and `left` (told where a signal ends the command), perhaps with `quiet`.
    """

    def failed(message: str, status: int) -> int:
        if options.debug:
            log.exception("traceback of the error below")
        print(f"{program}: {message}", file=sys.stderr)
        return status

    level = logging.DEBUG if options.debug else logging.ERROR if getattr(options, "quiet", False) else logging.WARNING
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", handlers=[LogLines()], force=True)
    log.setLevel(level)
    try:
        with termination_raises():
            command(options)
            sys.stdout.flush()
    except (InputError, Cancelled) as error:
        return failed(str(error), 2)
    except KeyboardInterrupt:
        return failed(f"interrupted; {options.left}", 128 + signal.SIGINT)
    except Terminated as error:
        return failed(f"ended by {error}; {options.left}", 128 + error.number)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output went away, as `| head` does
        return 0
    except MemoryError:
        remedy = "raise map.voxel_size_m, or lower keyframes.max_keyframes or input.max_width_px"
        return failed(f"out of memory; {remedy}", 2)
    except OSError as error:
        if error.filename is None:
            return failed(f"{error.strerror or error}", 2)
        return failed(f"cannot access {error.filename}: {error.strerror}", 2)
    except Exception as error:
        return failed(f"unexpected {type(error).__name__}: {error}; run again with --debug and report it", 1)
    return 0


def segment_command(options: argparse.Namespace) -> None:
    """Segment a recording and write the results."""
    from any3dis_ros.io.cloud import read_cloud
    from any3dis_ros.io.network_masks import read_network_masks
    from any3dis_ros.io.results import write_results
    from any3dis_ros.io.scenes import read_scene
    from any3dis_ros.io.staging import check_writable
    from any3dis_ros.objects.report import render_report
    from any3dis_ros.pipeline import segment
    from any3dis_ros.progress import Clock
    from any3dis_ros.scene.mapping import Scene, fuse
    from any3dis_ros.terminal import Bars, instance_table
    from any3dis_ros.tracking.engines import make_tracker

    config = configuration(options)
    check_writable(options.output)
    tracker = make_tracker(config.tracker)
    read = read_options(options, config.input)
    bars = Bars(options.quiet)
    clock = Clock()
    began = time.monotonic()
    try:
        with clock("map"):  # first, as a wrong file is told sooner than a long bag is read
            given = read_cloud(options.map, config.map.max_points) if options.map else None
        with clock("reading"):
            network = read_network_masks(options.proposals) if options.proposals else None
            recording = read_scene(options.input, read, config.keyframes, bars)
        with clock("map"):
            cloud = given or fuse(recording.frames, config.map, bars)
        instances = segment(Scene(recording.frames, cloud), tracker, config, bars, network)
        statistics = {
            **instances.statistics,
            "source": recording.description,
            "left_out": recording.counts,
            "seconds": {**clock.seconds, **dict(instances.statistics["seconds"])},  # type: ignore[call-overload]
        }
        instances.statistics.update(statistics)
        bars("writing", 0, 1)
        source = options.input.resolve()
        left_out = [f"left out {w}" for w in recording.warnings]
        report = render_report(instances, recording.frames, config, source.name, left_out)
        write_results(instances, options.output, config, recording.frames, source.stem, report)
        bars("writing", 1, 1)
    finally:
        bars.close()
    if not options.quiet:
        print(instance_table(instances))
        print(recording.description)
        print(
            f"{len(instances.instances)} instances in {len(cloud)} map points by the {tracker.name} engine, "
            f"{time.monotonic() - began:.1f} s"
        )
        print(f"report: {options.output / 'report.html'}")


def evaluate_command(options: argparse.Namespace) -> None:
    """Score a result against ground truth."""
    from any3dis_ros.io.ground_truth import load_ground_truth
    from any3dis_ros.io.results import load_results
    from any3dis_ros.objects.evaluation import evaluate_instances, format_table

    config = EvaluationConfig(min_points=options.min_points, max_distance_m=options.max_distance)
    truth = load_ground_truth(options.truth, options.cloud, options.stuff)
    print(format_table(evaluate_instances(load_results(options.result), truth, config)))


def config_command(options: argparse.Namespace) -> None:
    """Print every parameter with its default; for a ROS node, the node's own as well."""
    if options.ros:
        print(to_ros_yaml(NodeConfig, Config), end="")
    else:
        print(to_markdown(Config) if options.markdown else to_yaml(Config), end="")


def download_command(options: argparse.Namespace) -> None:
    """Fetch a checkpoint of SAM 2.1, unless it is there, and say how to use it."""
    from any3dis_ros.terminal import Bars
    from any3dis_ros.tracking.sam2 import checkpoints

    model = checkpoints.named(options.name)
    folder = options.folder.expanduser() if options.folder else checkpoints.cache_folder()
    bars = Bars(options.quiet)
    try:
        found = checkpoints.present(model, folder, bars)
        path = found or checkpoints.download(model, folder, bars)
    finally:
        bars.close()
    if options.quiet:
        print(path)
        return
    setting = model.name if folder == checkpoints.cache_folder() else path.absolute()
    print(f"{path}: {'already there, ' if found else ''}size and SHA-256 are right")
    print(f"use it: any3dis segment INPUT -o OUTPUT --set tracker.checkpoint={setting}")


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "segment": segment_command,
    "evaluate": evaluate_command,
    "config": config_command,
    "download-checkpoint": download_command,
}


def configuration(options: argparse.Namespace) -> Config:
    """Combine the defaults, the configuration file, and single settings, the later winning."""
    of_node = {*OF_RCLPY, *(p.name for p in parameters(NodeConfig))}
    config = from_yaml(options.config, Config(), of_node) if options.config else Config()
    return from_mapping(settings(options.set), config)


def settings(given: Sequence[str]) -> dict[str, Any]:
    """Return what `--set NAME=VALUE`, given any number of times, asks for; values are read as YAML.

    Raises:
        InputError: one lacks a name or a value.
    """
    out: dict[str, Any] = {}
    for setting in given:
        name, equals, value = setting.partition("=")
        if not (name.strip() and equals):
            raise InputError(
                f"--set {setting!r} lacks a name or a value; expected NAME=VALUE, e.g. map.voxel_size_m=0.01"
            )
        try:
            out[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            out[name.strip()] = value
    return out


if __name__ == "__main__":
    sys.exit(main())
