"""How SAM 2 is prompted, whether it runs or is simulated."""

from __future__ import annotations

from any3dis_ros.config import Sam2Config
from any3dis_ros.tracking.base import PromptPolicy


def prompt_policy(config: Sam2Config) -> PromptPolicy:
    """Return the policy that a configuration asks for: the best mask of each prompt, nothing learnt to rank them."""
    return PromptPolicy(
        pivot_views=config.pivot_views,
        masks_per_prompt=1,
        min_score=config.min_score,
        seeds_per_round=config.seeds_per_round,
    )
