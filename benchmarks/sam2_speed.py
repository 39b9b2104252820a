"""SAM 2 batched against the official predictor, one session per object: `python -m benchmarks.sam2_speed`.

    python -m benchmarks.sam2_speed                     # CPU: tiny, 512 pixels, 16 objects, 20 keyframes
    python -m benchmarks.sam2_speed --device cuda       # GPU: large, 1024 pixels, 64 objects, 50 keyframes, and a scene
    python -m benchmarks.sam2_speed --memory            # peak memory as objects and keyframes double, by batch size

Weights are random: they cost what real ones cost. The official predictor is given every advantage: images are loaded
once and kept on the device, a session is reset rather than made anew, and one is used for both directions. It runs half
of its objects before ours and half after, so that a machine that slows down slows both. On a CPU the seconds are of the
CPU, over all threads: other processes disturb them less than the clock on the wall.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from sam2.sam2_video_predictor import SAM2VideoPredictor
from tqdm import tqdm

from any3dis_ros.config import Sam2Config
from any3dis_ros.scene.frames import Camera, Frame
from any3dis_ros.tracking.base import PointPrompt, TrackRequest
from any3dis_ros.tracking.sam2.engine import Sam2Tracker
from any3dis_ros.tracking.sam2.session import Sam2Session
from benchmarks import tables
from benchmarks.meter import Meter
from benchmarks.official_sam2 import CONFIGURATIONS, official_predictor, quiet, random_checkpoint, save_images

WIDTH, HEIGHT = 640, 480
SMALL_BATCH = 4  # reached by the smallest number of objects of the memory table


@dataclass(frozen=True)
class Work:
    """What is run: `objects` prompted in keyframes spread evenly over `keyframes`, followed both ways."""

    model: str
    image_size: int
    objects: int
    keyframes: int
    device: str

    @property
    def pivots(self) -> list[int]:
        """The keyframe in which each object is prompted."""
        return [round(i * (self.keyframes - 1) / max(self.objects - 1, 1)) for i in range(self.objects)]

    def visited(self, pivot: int, share: float) -> tuple[list[int], list[int]]:
        """Return the keyframes to visit backward and forward: the nearest `share` of all."""
        # half of an odd number: rounded down and up by turns
        count = int(share * (self.keyframes - 1) + 0.5 * (pivot % 2))
        first = min(max(pivot - count // 2, 0), self.keyframes - 1 - count)
        return list(range(pivot - 1, first - 1, -1)), list(range(pivot + 1, first + count + 1))


def images(count: int) -> list[Frame]:
    """Return `count` VGA keyframes of noise: the network takes as long for them as for any."""
    rng = np.random.default_rng(0)
    camera = Camera(WIDTH, HEIGHT, np.array([[525.0, 0, 319.5], [0, 525, 239.5], [0, 0, 1]]))
    depth = np.zeros((HEIGHT, WIDTH), np.uint16)
    noise = rng.integers(0, 256, (count, HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    return [Frame(t, np.kron(n, np.ones((8, 8, 1), np.uint8)), depth, camera, np.eye(4)) for t, n in enumerate(noise)]


def points(work: Work) -> np.ndarray:
    """Return one point an object, Q×2 float32, pixels."""
    return np.random.default_rng(1).uniform((0, 0), (WIDTH, HEIGHT), (work.objects, 2)).astype(np.float32)


def official(predictor: SAM2VideoPredictor, state: dict, work: Work, which: Sequence[int]) -> float:
    """Return the seconds in which the official predictor follows some of the objects, one after the other."""
    where = points(work)
    mixed = torch.autocast(work.device, torch.bfloat16, enabled=work.device == "cuda")
    began = _clock(work)
    with quiet(), mixed, torch.inference_mode():
        for q in tqdm(which, desc="official", leave=False):
            pivot = work.pivots[q]
            predictor.add_new_points_or_box(state, pivot, 0, points=where[q : q + 1], labels=np.ones(1, np.int32))
            for reverse in (False, True):
                for _ in predictor.propagate_in_video(state, start_frame_idx=pivot, reverse=reverse):
                    pass
            predictor.reset_state(state)
    return _clock(work) - began


def ours(tracker: Sam2Tracker, frames: Sequence[Frame], work: Work, share: float) -> tuple[float, dict[str, object]]:
    """Return the seconds in which the engine follows all objects as :func:`follow` does, and its statistics."""
    began = _clock(work)
    session = tracker.open(frames)
    follow(session, work, share)
    seconds = _clock(work) - began
    statistics = session.statistics()
    session.close()
    return seconds, statistics


def follow(session: Sam2Session, work: Work, share: float) -> None:
    """Prompt all objects and follow them both ways, through the nearest `share` of the keyframes."""
    prompts = [PointPrompt.on(pivot, at[None]) for pivot, at in zip(work.pivots, points(work), strict=True)]
    born = [answers[0] for answers in session.prompt(prompts, 1) if answers]
    if len(born) < work.objects:
        raise RuntimeError(f"only {len(born)} of {work.objects} objects are there with these random weights")
    requests = [TrackRequest(o.object_id, frames) for o in born for frames in work.visited(o.frame, share)]
    for _ in session.track(requests):
        pass


def compare(work: Work, config: Sam2Config, repeats: int) -> list[dict[str, object]]:
    """Time both on the same images, weights and machine."""
    frames = images(work.keyframes)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = random_checkpoint(Path(folder) / "random.pt", work.model)
        predictor = official_predictor(checkpoint, work.model, work.image_size, work.device)
        tracker = Sam2Tracker(checkpoint, config)
        tracker.warm_up()
        with quiet():
            state = predictor.init_state(str(save_images([f.color for f in frames], Path(folder) / "images")))
        official(predictor, state, replace(work, keyframes=3), [0])  # warm
    rows: list[dict[str, object]] = []
    for repeat in range(repeats):
        half = work.objects // 2
        alone = official(predictor, state, work, range(half))
        every, counts = ours(tracker, frames, work, 1.0)
        hidden, fewer = ours(tracker, frames, work, 0.5)
        alone += official(predictor, state, work, range(half, work.objects))
        row: dict[str, object] = {"repeat": repeat, "official_s": alone}
        row |= {"every_pair_s": every, "every_pair_ratio": alone / every, "encoder_calls": counts["encoder_calls"]}
        row |= {"half_hidden_s": hidden, "half_hidden_ratio": alone / hidden, "pairs_run": fewer["object_frames"]}
        print(row, flush=True)
        rows.append(row)
    return rows


def whole_scene(work: Work, config: Sam2Config) -> dict[str, object]:
    """Time prompts and tracks of a scene in which an object is seen in a fifth of the keyframes."""
    with tempfile.TemporaryDirectory() as folder:
        tracker = Sam2Tracker(random_checkpoint(Path(folder) / "random.pt", work.model), config)
    tracker.warm_up()
    seconds, statistics = ours(tracker, images(work.keyframes), work, 0.2)
    stages = {f"{stage}_s": s for stage, s in statistics.pop("seconds").items()}  # type: ignore[attr-defined]
    return {"keyframes": work.keyframes, "objects": work.objects, "seconds": seconds, **statistics, **stages}


def peak(work: Work, config: Sam2Config, checkpoint: Path) -> float:
    """Return the megabytes that following takes at most, beyond the loaded model and the keyframes."""
    frames = images(work.keyframes)
    tracker = Sam2Tracker(checkpoint, config)
    ours(tracker, frames[:2], replace(work, objects=2, keyframes=2), 1.0)  # what PyTorch allocates once
    if work.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        base = torch.cuda.memory_allocated()
        ours(tracker, frames, work, 1.0)
        return (torch.cuda.max_memory_allocated() - base) / 1e6
    meter = Meter()
    with meter("following"):
        ours(tracker, frames, work, 1.0)
    return meter.costs["following"][0].peak_mb


def memory_table(work: Work, config: Sam2Config) -> tuple[str, list[dict[str, object]]]:
    """Measure peak memory as objects and keyframes double, for a small and a full batch.

    What grows with the objects beyond one batch is only what each of them remembers; a few hundred kilobytes. On a CPU
    each is measured in a process of its own, for what one allocated is not given back to the next; a GPU's is counted.
    """
    rows: list[dict[str, object]] = []
    context = multiprocessing.get_context("spawn")
    counts = [(work.objects * a, work.keyframes * b) for a in (1, 2, 4) for b in (1, 2, 4)]
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = random_checkpoint(Path(folder) / "random.pt", work.model)
        for batch_size, (objects, keyframes) in itertools.product((SMALL_BATCH, config.batch_size), counts):
            one = replace(work, objects=objects, keyframes=keyframes)
            asked = (one, replace(config, batch_size=batch_size), checkpoint)
            if work.device == "cuda":
                megabytes = peak(*asked)
            else:
                with context.Pool(1) as pool:
                    megabytes = pool.apply(peak, asked)
            rows.append({"batch": batch_size, "objects": objects, "keyframes": keyframes, "peak_mb": round(megabytes)})
            print(rows[-1], flush=True)
    peaks = {(row["batch"], row["objects"], row["keyframes"]): row["peak_mb"] for row in rows}
    columns = sorted({keyframes for _, keyframes in counts})
    body = [
        [str(batch), str(q), *[str(peaks[batch, q, t]) for t in columns]]
        for batch, q in dict.fromkeys((batch, q) for batch, q, _ in peaks)
    ]
    return tables.markdown(["batch_size", "objects", *[f"MB, {t} keyframes" for t in columns]], body), rows


def _clock(work: Work) -> float:
    """Return seconds, once the device has done what it was given."""
    if work.device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def _machine(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()}, threads: {torch.get_num_threads()}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--model", choices=tuple(CONFIGURATIONS), help="default: tiny, on a GPU large")
    parser.add_argument("--image-size", type=int, help="pixels (default: 512, on a GPU 1024)")
    parser.add_argument("--objects", type=int, help="default: 16, on a GPU 64")
    parser.add_argument("--keyframes", type=int, help="default: 20, on a GPU 50")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="run ours through torch.compile")
    parser.add_argument(
        "--memory", action="store_true", help="measure memory instead (8 objects and keyframes, doubled)"
    )
    return parser


def main() -> None:
    """Run what is asked for and keep its table."""
    options = _parser().parse_args()
    gpu = options.device == "cuda"
    small = 8 if options.memory else None
    work = Work(
        options.model or ("large" if gpu else "tiny"),
        options.image_size or (1024 if gpu else 256 if options.memory else 512),
        options.objects or small or (64 if gpu else 16),
        options.keyframes or small or (50 if gpu else 20),
        options.device,
    )
    config = Sam2Config(image_size=work.image_size, device=work.device, min_score=0.0, compile=options.compile)
    about = f"{work.model}, {work.image_size} pixels, {'bf16' if gpu else 'fp32'}, {_machine(work.device)}"
    about += ", ours compiled" if options.compile else ""
    kept_as = f"{work.device}_compiled" if options.compile else work.device
    facts = {"network": f"torch {torch.__version__}, sam2 {version('sam2')}, random weights"}

    def keep(what: str, title: str, told: str, table: str, rows: list[dict[str, object]]) -> None:
        tables.keep(f"sam2_{what}_{kept_as}", f"## SAM 2: {title}\n\n{told}.\n\n{table}", rows, facts=facts)

    if options.memory:
        text, rows = memory_table(work, config)
        keep("memory", "peak memory beyond the model", about, text, rows)
        return
    rows = compare(work, config, options.repeats)
    middle = {key: float(np.median([row[key] for row in rows])) for key in rows[0]}
    text = tables.markdown(
        ["", "seconds" if gpu else "CPU seconds", "times faster"],
        [
            ["official, one session per object", f"{middle['official_s']:.1f}", "1"],
            ["ours, every pair run", f"{middle['every_pair_s']:.1f}", f"{middle['every_pair_ratio']:.2f}"],
            ["ours, half of the pairs hidden", f"{middle['half_hidden_s']:.1f}", f"{middle['half_hidden_ratio']:.2f}"],
        ],
    )
    title = f"{work.objects} objects through {work.keyframes} keyframes"
    keep("speed", title, f"{about}; median of {len(rows)}", text, rows)
    if gpu:
        scene = whole_scene(replace(work, objects=150, keyframes=200), config)
        stages = tables.markdown(list(scene), [[tables.cell(key, value) for key, value in scene.items()]])
        keep("scene", "a whole scene", about, stages, [scene])


if __name__ == "__main__":
    main()
