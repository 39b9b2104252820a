# make demo | demo-offline | test | lint | bench: each sets up what it needs, the first time only.
PY := .venv/bin/python
OUT ?= demo_out
# ROS looks here for what it installed; a setup.bash says where, the wheels in .venv do not
export AMENT_PREFIX_PATH := $(or $(AMENT_PREFIX_PATH),$(CURDIR)/.venv)

# a domain of its own on this machine alone: no robot hears the demo, and it hears none
ALONE = ROS_DOMAIN_ID=$$((42 + $$$$ % 50)) ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST

.PHONY: demo demo-offline test lint format bench clean
.DEFAULT_GOAL := demo

demo:  ## play the shipped bag to the ROS 2 node over DDS, segment, score what it published
	@scripts/bootstrap.sh ros || { echo "make demo-offline needs no ROS 2 and runs everywhere" >&2; exit 1; }
	@$(ALONE) .venv/bin/any3dis_replay sample/room --start-node --truth sample/room_gt.npz --save $(OUT)
	@echo; echo "open $(OUT)/report.html in a browser"

demo-offline:  ## the same bag by the command line, without ROS
	@scripts/bootstrap.sh core
	@.venv/bin/any3dis segment sample/room -o $(OUT)
	@echo; echo "against the sample's ground truth:"
	@.venv/bin/any3dis evaluate $(OUT) sample/room_gt.npz
	@echo; echo "open $(OUT)/report.html in a browser"

test:  ## the fast tests, SAM 2's and ROS 2's included; add ARGS='-m slow' for the others
	@scripts/bootstrap.sh dev
	@$(PY) -m pytest $(ARGS)

lint:  ## ruff (lint and format) and mypy
	@scripts/bootstrap.sh lint
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

format:  ## write what lint wants
	@scripts/bootstrap.sh lint
	@.venv/bin/ruff check --fix . ; .venv/bin/ruff format .

bench:  ## every stage against the published formulation, and its growth in points, keyframes and tracks
	@scripts/bootstrap.sh dev
	@$(PY) -m benchmarks.speed.run

clean:  ## remove what the above made
	rm -rf .venv build *.egg-info demo_out .mypy_cache .ruff_cache .pytest_cache .hypothesis
