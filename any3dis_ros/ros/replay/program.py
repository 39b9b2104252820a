"""any3dis_replay: plays a bag to the node as a robot would, and shows what the node makes of it.

The node is a process of its own, started here or running already; everything goes over DDS.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from any3dis_ros.arguments import read_options
from any3dis_ros.cli import run
from any3dis_ros.io.rosbag.bagfile import BagFile
from any3dis_ros.io.rosbag.playback import Playback
from any3dis_ros.io.scenes import bag_files
from any3dis_ros.io.staging import check_writable
from any3dis_ros.ros.replay import arguments as command_line
from any3dis_ros.ros.replay import output
from any3dis_ros.ros.replay.node_arguments import checked_settings
from any3dis_ros.ros.replay.session import Session
from any3dis_ros.terminal import Bars

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return the exit status, as that of `any3dis`."""
    return run("any3dis_replay", replay, command_line.parse(sys.argv[1:] if arguments is None else arguments))


def replay(options: argparse.Namespace) -> None:
    """Play, segment, show, score, save: what the options ask for."""
    command_line.check(options)
    settings, config = checked_settings(options.set)
    truth = output.load_truth(options.truth)  # first, as a wrong file is told sooner than a bag is played
    if options.save and options.start_node:
        check_writable(options.save)
    with ExitStack() as stack:
        bars = Bars(options.quiet)
        stack.callback(bars.close)
        bag = stack.enter_context(BagFile(options.bag, bag_files(options.bag)))
        playback = Playback(bag, read_options(options, config.input), bars)
        session = stack.enter_context(Session(options, playback, settings))
        session.play(bars)
        if bag.trouble:
            log.warning("%s: %s", options.bag, "; ".join(f"{n} × {what}" for what, n in bag.trouble.items()))
        if not options.no_segment:
            result, cloud = session.segment()
            if not options.quiet:
                output.show(result, cloud)
                if truth is not None:
                    print(f"\n{session.name}/instance_cloud against {options.truth}:")
                    print(output.score(cloud, truth))
        if options.save:
            session.save(options.save)
            if not options.quiet:
                print(f"report: {options.save / 'report.html'}")


if __name__ == "__main__":
    sys.exit(main())
