"""Write the shipped sample, a room's ROS 2 bag and its ground truth: `python -m benchmarks.make_sample`."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

from any3dis_ros.scene.frames import Camera
from benchmarks.rooms.bag_writer import write_bag
from benchmarks.rooms.capture import Shot, pinhole, prepare, shoot
from benchmarks.rooms.folder_writer import save_truth
from benchmarks.rooms.ground_truth import SurfaceAccumulator
from benchmarks.rooms.room import FIRST_THING
from benchmarks.rooms.sensor import SensorModel

LIMIT_MB = 8.0
# A camera that smooths depth before it sends it, as most do: the noise is weaker, its patches are wider.
SENSOR = SensorModel(disparity_sigma=0.2, correlation_px=6.0, color_noise=1.2)
SAMPLE = Path(__file__).resolve().parent.parent / "sample"


def collecting(shots: Iterator[Shot], camera: Camera, surface: SurfaceAccumulator) -> Iterator[Shot]:
    """Pass `shots` through, adding what each sees to `surface`."""
    for shot in shots:
        surface.add(shot.view, camera, shot.T_room_camera, SENSOR.range_m)
        yield shot


def make_sample(out: Path, seed: int, width: int, height: int, frames: int, quality: int) -> float:
    """Write `out`/room (the bag) and `out`/room_gt.npz; return their size in MB (10⁶ bytes)."""
    bag, truth = out / "room", out / "room_gt.npz"
    if bag.exists():
        shutil.rmtree(bag)
    out.mkdir(parents=True, exist_ok=True)
    run = prepare(seed, frames)
    camera = pinhole(width, height)
    surface = SurfaceAccumulator()
    shots = collecting(shoot(run, camera, frames, model=SENSOR, oversample=2), camera, surface)
    write_bag(bag, camera, run.path, shots, quality)
    save_truth(truth, surface.result(FIRST_THING))
    return sum(f.stat().st_size for f in (truth, *bag.iterdir())) / 1e6


def main() -> None:
    """Parse the command line, write the sample, and fail where it is larger than what may ship."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=SAMPLE)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--frames", type=int, default=300, help="at 30 Hz")
    parser.add_argument("--quality", type=int, default=70, help="of the JPEG colour")
    args = parser.parse_args()
    size = make_sample(args.out, args.seed, args.width, args.height, args.frames, args.quality)
    print(f"{args.out}: {size:.2f} MB")
    if size > LIMIT_MB:
        parser.exit(1, f"the sample may have {LIMIT_MB:g} MB; reduce --frames, --width or --quality\n")


if __name__ == "__main__":
    main()
