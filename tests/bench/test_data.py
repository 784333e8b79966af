"""Tests of bench.tasks.data, bin_files and bible_bpe: what a model reads."""

import os
import sys
from dataclasses import replace

import numpy as np
import pytest

from bench.tasks import bible_bpe, bin_files, get_task
from bench.tasks.data import DATA, load_data
from bench.tasks.inputs import make_inputs
from bench.tasks.text import bible_text, split_text

SMALL = get_task("gpt2-small")
TASK = replace(SMALL, model=replace(SMALL.model, layers=1, width=8, heads=1, context=16), steps=5, validation_batches=3)


@pytest.fixture
def folder(tmp_path):
    """Files of 5000 and 600 tokens, each token its own place."""
    for name, first, count in (("train", 0, 5000), ("val", 10_000, 600)):
        np.arange(first, first + count, dtype="<u2").tofile(tmp_path / f"{name}.bin")
    return tmp_path


def test_batches_are_windows_of_the_files(folder):
    inputs = make_inputs(TASK, folder)
    rows = [row for step in range(TASK.steps) for row in inputs.training_batch(step)]
    assert all((np.diff(row) == 1).all() for row in rows)
    assert len({row[0] for row in rows}) > 50  # of 60, from all over the file
    assert min(row[0] for row in rows) < 500 < 4000 < max(row[-1] for row in rows) < 5000
    assert rows[0].dtype == np.int32
    validation = np.concatenate(inputs.validation_batches())
    assert validation.shape == (36, 17)
    assert (validation[0][0], validation[-1][-1]) == (10_000, 10_599)


def test_the_files_are_mapped_and_not_read(folder):
    tokens = bin_files.open_tokens(folder / "train.bin")
    assert isinstance(tokens.base, np.memmap)


def test_the_folder_may_come_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv("BENCH_DATA", str(folder))
    assert make_inputs(TASK).digest() == make_inputs(TASK, folder).digest()
    monkeypatch.setenv("BENCH_DATA", "elsewhere")
    make_inputs(TASK, folder)


def test_without_a_folder_the_error_says_how_to_name_and_make_it(monkeypatch):
    monkeypatch.delenv("BENCH_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"--data or in the variable BENCH_DATA\. `python -m bench prepare`"):
        make_inputs(TASK)


def test_a_missing_file_is_named(folder):
    (folder / "val.bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"val\.bin is missing; make it with `python -m bench prepare"):
        make_inputs(TASK, folder)


@pytest.mark.parametrize("content", [b"", b"\0" * 101])
def test_a_file_of_no_whole_tokens_is_refused(content, folder):
    (folder / "train.bin").write_bytes(content)
    with pytest.raises(ValueError, match=rf"train\.bin has {len(content)} bytes, which are no uint16 tokens"):
        make_inputs(TASK, folder)


@pytest.mark.parametrize("name", ["train", "val"])
def test_tokens_outside_the_vocabulary_are_refused_wherever_they_are(name, folder):
    tokens = np.zeros(1000, "<u2")
    tokens[777] = 50257
    tokens.tofile(folder / f"{name}.bin")
    with pytest.raises(ValueError, match="has the token 50257, and gpt2-small a vocabulary of 50257"):
        make_inputs(TASK, folder)


def test_a_file_shorter_than_a_window_is_refused(folder):
    np.zeros(16, "<u2").tofile(folder / "val.bin")
    with pytest.raises(ValueError, match="has 16 tokens for validation, and gpt2-small reads windows of 17"):
        make_inputs(TASK, folder)


@pytest.mark.parametrize("name", ["train", "val"])
def test_one_other_token_makes_another_digest(name, folder):
    before = make_inputs(TASK, folder).digest()
    tokens = np.fromfile(folder / f"{name}.bin", "<u2")
    tokens[500] += 1
    tokens.tofile(folder / f"{name}.bin")
    os.utime(folder / f"{name}.bin", ns=(1, 1))  # this change may be within the clock's tick
    assert make_inputs(TASK, folder).digest() != before


def test_a_file_is_read_for_its_digest_once(folder, monkeypatch):
    first = bin_files.contents(folder / "train.bin")
    monkeypatch.setattr(bin_files, "hashlib", None)
    assert bin_files.contents(folder / "train.bin") == first
    assert first["largestToken"] == 4999


def test_large_files_are_read_in_pieces(folder, monkeypatch):
    whole = bin_files.contents(folder / "train.bin")
    (folder / "train.bin.json").unlink()
    monkeypatch.setattr(bin_files, "_CHUNK", 64)
    assert bin_files.contents(folder / "train.bin") == whole


def test_a_folder_that_cannot_be_written_serves_too(folder, monkeypatch):
    monkeypatch.setattr(bin_files.os, "access", lambda path, mode: False)
    make_inputs(TASK, folder)
    assert not (folder / "train.bin.json").exists()


def test_unknown_data_is_refused():
    with pytest.raises(ValueError, match="unknown data 'wikitext'; choose one of: bible-bytes, bible-bpe, bin"):
        load_data("wikitext")


def test_every_task_reads_data_that_is_known():
    from bench.tasks import TASKS

    assert {task.data for task in TASKS.values()} <= set(DATA)


def test_the_encoding_can_be_made_again_to_the_byte():
    assert bible_bpe.train() == bible_bpe.FILE.read_text(encoding="utf-8")


def test_its_tokens_are_the_text():
    from tokenizers import Tokenizer

    encoding = Tokenizer.from_file(str(bible_bpe.FILE))
    parts = split_text(bible_text())
    assert b"".join(parts) == bible_text()
    data = load_data("bible-bpe")
    assert encoding.get_vocab_size() == bible_bpe.VOCABULARY
    for tokens, part in zip((data.training, data.validation), parts, strict=True):
        assert encoding.decode(tokens.tolist()).encode() == part
    assert len(parts[0]) / len(data.training) > 3.5  # bytes in a token: merges are in use


def test_without_tokenizers_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install -c constraints\.txt tokenizers"):
        bible_bpe.tokens()
