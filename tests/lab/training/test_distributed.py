"""Training in several processes that torchrun starts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kelly_live.emotion.nets.checkpoint import load_checkpoint
from kelly_live.emotion.nets.musicnn import MusicnnTrunk
from kelly_live.emotion.nets.speech import SpeechEncoder
from kelly_live.lab.training.distributed import Ranks, join_ranks
from kelly_live.lab.training.front_end import FrontEnd, save_front_end
from tests.lab.small_corpus import make_corpus


def run_torchrun(folder: Path, *more: str) -> str:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
               "-m", "tests.lab.small_run", "lab", "train", "emotion", "--set", "research",
               "--data", str(folder / "data"),
               "--cache", str(folder / "cache"), "--front-end", str(folder / "front_end.safetensors"),
               "--out", str(folder / "emotion.safetensors"), *more]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the loopback device is called lo here")
def test_two_gloo_processes_train_one_net_and_continue_where_they_stopped(tmp_path: Path) -> None:
    make_corpus(tmp_path / "data", speakers=3, takes=1)
    torch.manual_seed(0)
    save_front_end(FrontEnd(MusicnnTrunk(), SpeechEncoder()), tmp_path / "front_end.safetensors")
    log = run_torchrun(tmp_path, "--epochs", "2", "--cross", "1")
    assert log.count("epoch   1") == 1  # only the first rank logs
    match = re.search(r"weights of 2 ranks: (\w+) (\w+)", log)
    assert match is not None
    assert match[1] == match[2]
    card = load_checkpoint(tmp_path / "emotion.safetensors", "emotion").card
    assert card["epochs"] == 2
    assert "95 % interval" in (tmp_path / "emotion.md").read_text(encoding="utf-8")
    assert "resuming after epoch 2" in run_torchrun(tmp_path, "--epochs", "3", "--cross", "1", "--resume")


def test_a_single_process_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    net = torch.nn.Linear(1, 1)
    with join_ranks() as ranks:
        assert ranks == Ranks()
        assert ranks.wrap(net) is net
        assert ranks.broadcast_first(0.25) == 0.25
        assert ranks.gather_texts("a") == ["a"]
