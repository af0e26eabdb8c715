"""A run that is killed goes on as if it had not been; several processes are one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from fastgan_core.model import FaSTGAN
from fastgan_core.running.weights import save_weights
from fastgan_core.training.logbook import Logbook
from fastgan_core.training.reading import from_dict
from fastgan_core.training.stages import Stage
from fastgan_core.training.trainer import Trainer

ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")


@pytest.fixture
def adversarial(values):
    return values | {
        "stage": "adversarial",
        "critic_steps": 2,
        "critic_width": 4,
        "phases": [{"steps": 6, "size": 64, "batch": 2, "frames": 2}],
    }


@pytest.fixture
def one_thread():
    """Sums over several threads may round differently each time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_killed_run_goes_on_as_if_it_had_not_been(adversarial, tmp_path, one_thread):
    adversarial |= {"critic_steps": 1, "save_every": 2}
    adversarial["phases"][0] |= {"steps": 5, "batch": 1}
    (tmp_path / "recipe.yaml").write_text(json.dumps(adversarial))
    command = [sys.executable, "-m", "fastgan_core", "train", tmp_path / "recipe.yaml"]
    command += ["--output", tmp_path / "killed", "--device", "cpu"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen([*map(str, command)], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    with ThreadPoolExecutor(1) as pool:
        whole = pool.submit(Trainer(from_dict(adversarial), tmp_path / "whole", CPU).run)
        state, end = tmp_path / "killed/state.safetensors", time.time() + 120
        while not state.exists() and killed.poll() is None and time.time() < end:
            time.sleep(0.02)
        assert killed.poll() is None, "it ended before it could be killed"
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        whole.result()
    with safe_open(state, framework="pt") as file:
        assert 2 <= float(file.metadata()["step"]) < 5
    Trainer(from_dict(adversarial), tmp_path / "killed", CPU).run()

    assert len(json.loads((tmp_path / "killed/about.json").read_text())["sessions"]) == 2
    whole, parts = (load_file(tmp_path / run / "state.safetensors") for run in ("whole", "killed"))
    assert whole.keys() == parts.keys()
    assert not [name for name in whole if not torch.equal(whole[name], parts[name])]


def test_a_run_that_goes_on_leaves_no_line_twice(values, tmp_path):
    log = tmp_path / "log.jsonl"
    before = "".join(json.dumps({"step": step, "loss": 0.5}) + "\n" for step in (10, 20, 30))
    log.write_text(before + '{"step": 40, "lo')
    logbook = Logbook(tmp_path, from_dict(values), 20)
    logbook.scalars(30, {"loss": 0.25})
    logbook.close()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["step"], line["loss"]) for line in lines] == [(10, 0.5), (20, 0.5), (30, 0.25)]


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def start_two(command: list, **options) -> list[subprocess.Popen]:
    """Two processes of a command, told of each other as torchrun tells its own."""
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "OMP_NUM_THREADS": "1"}
    places = [{"RANK": str(number), "LOCAL_RANK": str(number)} for number in range(2)]
    environments = [os.environ | {"PYTHONPATH": str(ROOT)} | shared | place for place in places]
    command = [sys.executable, *map(str, command)]
    return [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, **options)
        for environment in environments
    ]


def said_by(processes: list[subprocess.Popen]) -> str:
    """What they print until they end, as they should."""
    said = "".join(process.communicate(timeout=200)[0] for process in processes)
    assert [process.returncode for process in processes] == [0] * len(processes)
    return said


def test_processes_of_torchrun_train_and_validate(values, tmp_path):
    values |= {"phases": [{"steps": 1, "size": 32, "batch": 4, "frames": 2}]}
    values |= {"workers": 1, "ema": 0, "validate": "brief"}
    (tmp_path / "small.yaml").write_text(json.dumps(values))
    command = [ROOT / "training/train.py", tmp_path / "small.yaml", "--device", "cpu"]
    said = said_by(start_two(command, cwd=tmp_path))
    assert said.count("validation/J&F-Mean") == 1  # one process speaks
    run = tmp_path / "runs/small"
    assert (run / "best.safetensors").exists()
    assert json.loads((run / "about.json").read_text())["sessions"][0]["processes"] == 2


def gradients(run: Trainer) -> dict[str, torch.Tensor]:
    """Those of all networks after a step."""
    run.train_step(iter(run.batches()).__next__)
    modules = {"model": run.stage.model, **run.stage.critics}
    return {f"{m}.{n}": p.grad.contiguous() for m, module in modules.items() for n, p in module.named_parameters()}


WORKER = """
import json, sys, torch
from pathlib import Path
from safetensors.torch import save_file
from fastgan_core.training.distributed import processes, rank
from fastgan_core.training.reading import from_dict
from fastgan_core.training.trainer import Trainer
from fastgan_core.running.weights import save_weights
from tests.core.training.test_resume import gradients
torch.set_num_threads(1)
values, out = json.loads(sys.argv[1]), Path(sys.argv[2])
with processes("cpu") as device:
    run = Trainer(from_dict(values), out, device)
    save_file(gradients(run), out / f"rank{rank()}")
    run.step = run.recipe.steps
    run.run()
"""


def test_two_processes_with_half_the_batch_each_have_the_gradients_of_one(adversarial, tmp_path, one_thread):
    values = adversarial | {"critic_steps": 1, "clip_gradient": 0}
    # A network that knows its statistics: batch norm over half of a batch is another function.
    torch.manual_seed(0)
    save_weights(tmp_path / "start.safetensors", FaSTGAN("resnet18"))
    values |= {"init": str(tmp_path / "start.safetensors")}
    processes = start_two(["-c", WORKER, json.dumps(values), tmp_path], cwd=ROOT)
    one = gradients(Trainer(from_dict(values), tmp_path / "alone", CPU))
    assert said_by(processes).count("this run is finished") == 1  # one process speaks
    first, second = (load_file(tmp_path / f"rank{number}") for number in range(2))
    assert any(name.startswith("temporal") for name in one)
    for name, gradient in one.items():
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0, msg=name)
        scale = gradient.abs().max().item()
        torch.testing.assert_close(first[name], gradient, rtol=1e-3, atol=1e-4 * scale + 1e-9, msg=name)


def test_a_batch_that_cannot_be_shared_is_refused(values, tmp_path, monkeypatch):
    from fastgan_core.errors import FastganError
    from fastgan_core.training import trainer

    monkeypatch.setattr(trainer, "world", lambda: 3)
    with pytest.raises(FastganError, match="3 processes cannot share"):
        Trainer(from_dict(values), tmp_path, CPU)


def test_stages_without_critics_see_the_same_clips(adversarial, tmp_path):
    """What the ablation compares differs in its losses alone."""
    both = Trainer(from_dict(adversarial), tmp_path / "both", CPU)
    neither = Trainer(from_dict(adversarial | {"lambda_s": 0, "lambda_t": 0}), tmp_path / "neither", CPU)
    assert isinstance(both.stage, Stage)
    assert (both.stage.turns, neither.stage.turns) == (2, 1)
    with_critics, without = iter(both.batches()), iter(neither.batches())
    for _ in range(3):
        next(with_critics)
        assert torch.equal(next(with_critics)["frames"], next(without)["frames"])
