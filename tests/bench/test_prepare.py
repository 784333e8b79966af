"""Tests of `python -m bench prepare`, on local files and with tokenizers made here."""

import json
import sys

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from bench.__main__ import main
from bench.prepare import files as module
from bench.prepare import sources as prepare_sources
from bench.prepare.files import Request, prepare, split_rows
from bench.tasks import bin_files

DOCUMENTS = [f"document {number}: " + "the word " * (number % 7) + "<|endoftext|> ends." for number in range(50)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """The path of a small tokenizer, which has the end token twice: as itself, and in pieces."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(DOCUMENTS, trainer)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "documents.jsonl"
    path.write_text("".join(json.dumps({"body": text, "number": 1}) + "\n" for text in DOCUMENTS))
    return path


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(module, "BATCH", 8)


def request(dataset, tokenizer, **settings):
    return Request(str(dataset), column="body", tokenizer=str(tokenizer), validation_part=0.1, **settings)


def documents_of(path, tokenizer):
    """The documents of a file, cut at the end tokens."""
    encoding = Tokenizer.from_file(str(tokenizer))
    tokens = np.fromfile(path, "<u2")
    end = encoding.token_to_id("<|endoftext|>")
    assert tokens[-1] == end
    parts = np.split(tokens, np.flatnonzero(tokens == end) + 1)[:-1]
    table = {code: byte for byte, code in bytes_to_letters().items()}
    texts = []
    for part in parts:
        letters = "".join(encoding.id_to_token(token) for token in part[:-1])
        texts.append(bytes(table[letter] for letter in letters).decode())
    return texts


def bytes_to_letters():
    """GPT-2's letters for bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(256 + place) for place, byte in enumerate(hidden)}


def test_every_document_is_in_one_of_the_files_and_ends_with_the_end_token(lines, tokenizer, tmp_path):
    output = tmp_path / "out"
    made = prepare(request(lines, tokenizer), output, tmp_path / "cache")
    training, validation = (documents_of(output / f"{split}.bin", tokenizer) for split in ("train", "val"))
    chosen = split_rows(50, 0.1, 2357)
    assert validation == [DOCUMENTS[row] for row in chosen]
    assert training == [text for row, text in enumerate(DOCUMENTS) if row not in chosen]
    assert (made["train"]["documents"], made["val"]["documents"]) == (45, 5)
    assert made["train"]["tokens"] == bin_files.open_tokens(output / "train.bin").size
    assert made["val"]["sha256"] == bin_files.contents(output / "val.bin")["sha256"]
    assert sorted(path.name for path in output.iterdir()) == [
        *("prepared.json", "train.bin", "train.bin.json", "val.bin", "val.bin.json")
    ]


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("batches", [0, 1, 3, 7])
def test_an_interrupted_run_is_taken_up_where_it_stopped(batches, lines, tokenizer, tmp_path, monkeypatch):
    whole, output = tmp_path / "whole", tmp_path / "out"
    prepare(request(lines, tokenizer), whole, tmp_path / "cache")

    calls = []

    def stop(*of_batch):
        calls.append(of_batch)
        if len(calls) > batches:
            raise StoppedError

    with pytest.raises(StoppedError):
        prepare(request(lines, tokenizer), output, tmp_path / "cache", stop)
    assert not (output / "train.bin").exists()
    assert not (output / "val.bin").exists()
    for hidden in output.glob(".*.bin"):  # a batch of which a part was written when the machine stopped
        with hidden.open("ab") as file:
            file.write(b"\1\2\3")

    encoded = []
    load = prepare_sources.load_tokenizer

    def counting(*arguments):
        loaded = load(*arguments)

        def encode(texts):
            encoded.extend(texts)
            return loaded.encode(texts)

        return prepare_sources.Tokenizer(encode, loaded.end, loaded.digest)

    monkeypatch.setattr(prepare_sources, "load_tokenizer", counting)
    prepare(request(lines, tokenizer), output, tmp_path / "cache")
    for split in ("train", "val"):
        assert (output / f"{split}.bin").read_bytes() == (whole / f"{split}.bin").read_bytes()
    # The first batch is the one of the validation file with its 5 documents; the others have 8, less those 5.
    done = len(calls)
    chosen = split_rows(50, 0.1, 2357)
    assert len(encoded) == sum(row not in chosen for row in range(8 * (done - 1), 50))


def test_a_run_that_stopped_between_the_two_names_is_finished(lines, tokenizer, tmp_path, monkeypatch):
    output = tmp_path / "out"
    replace, named = module.os.replace, []

    def once(old, new):
        if named and str(new).endswith(".bin"):
            raise StoppedError
        if str(new).endswith(".bin"):
            named.append(new)
        replace(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "replace", once)
        with pytest.raises(StoppedError):
            prepare(request(lines, tokenizer), output, tmp_path / "cache")
    assert len(named) == 1
    made = prepare(request(lines, tokenizer), output, tmp_path / "cache")
    assert len(documents_of(output / "train.bin", tokenizer)) == 45
    assert len(documents_of(output / "val.bin", tokenizer)) == 5
    assert made["train"]["tokens"] == bin_files.open_tokens(output / "train.bin").size


def test_another_request_does_not_continue_what_an_interrupted_one_left(lines, tokenizer, tmp_path):
    def stop(split, *counts):
        if split == "train":
            raise StoppedError

    output = tmp_path / "out"
    with pytest.raises(StoppedError):
        prepare(request(lines, tokenizer), output, tmp_path / "cache", stop)
    prepare(request(lines, tokenizer, seed=1), output, tmp_path / "cache")
    chosen = split_rows(50, 0.1, 1)
    assert documents_of(output / "val.bin", tokenizer) == [DOCUMENTS[row] for row in chosen]
    assert len(documents_of(output / "train.bin", tokenizer)) == 45


def test_what_is_done_is_not_made_again_and_what_others_made_is_not_overwritten(lines, tokenizer, tmp_path):
    output = tmp_path / "out"
    made = prepare(request(lines, tokenizer), output, tmp_path / "cache")
    assert (
        prepare(request(lines, tokenizer), output, tmp_path / "cache", lambda *of_batch: pytest.fail("made again"))
        == made
    )
    with pytest.raises(ValueError, match="holds files of another request"):
        prepare(request(lines, tokenizer, seed=1), output, tmp_path / "cache")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "train.bin").write_bytes(b"\0\0")
    with pytest.raises(ValueError, match=r"train\.bin is there, and this command did not make it"):
        prepare(request(lines, tokenizer), foreign, tmp_path / "cache")
    assert (foreign / "train.bin").read_bytes() == b"\0\0"


def test_a_folder_of_text_files_and_one_of_parquet_serve_too(tokenizer, tmp_path):
    import pyarrow
    import pyarrow.parquet

    texts, tables = tmp_path / "texts", tmp_path / "tables"
    texts.mkdir()
    tables.mkdir()
    for number, text in enumerate(DOCUMENTS[:6]):
        (texts / f"{number}.txt").write_text(f"{text}\n\nanother line")
    pyarrow.parquet.write_table(pyarrow.table({"text": DOCUMENTS[:6]}), tables / "0.parquet")
    for folder, ending in ((texts, "\n\nanother line"), (tables, "")):
        made = Request(str(folder), tokenizer=str(tokenizer), validation_part=0.2)
        prepare(made, tmp_path / f"{folder.name}-out", tmp_path / "cache")
        found = [
            text
            for split in ("train", "val")
            for text in documents_of(tmp_path / f"{folder.name}-out" / f"{split}.bin", tokenizer)
        ]
        assert sorted(found) == [f"{text}{ending}" for text in DOCUMENTS[:6]]


def test_an_encoding_of_tiktoken_serves_too(lines, tmp_path, monkeypatch):
    import tiktoken

    encoding = tiktoken.Encoding(
        "gpt2", pat_str=r".", mergeable_ranks={bytes([b]): b for b in range(256)}, special_tokens={"<|endoftext|>": 256}
    )
    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: encoding)
    prepare(Request(str(lines), column="body", validation_part=0.1), tmp_path / "out", tmp_path / "cache")
    tokens = np.fromfile(tmp_path / "out" / "val.bin", "<u2")
    chosen = split_rows(50, 0.1, 2357)
    assert tokens.tolist() == [token for row in chosen for token in (*DOCUMENTS[row].encode(), 256)]


def test_an_encoding_that_cannot_be_fetched_says_what_to_do(lines, tmp_path, monkeypatch):
    import tiktoken

    def fail(name):
        raise OSError("no route to host")

    monkeypatch.setattr(tiktoken, "get_encoding", fail)
    with pytest.raises(RuntimeError, match=r"could not: no route to host.*TIKTOKEN_CACHE_DIR.*--tokenizer"):
        prepare(Request(str(lines)), tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation_part": 0.0}, "validation part 0.0 is invalid; give a number between 0 and 1"),
        ({"validation_part": 1.0}, "validation part 1.0 is invalid"),
        ({"tokenizer": "gpt-none"}, "'gpt-none' is no file and no encoding of tiktoken; its encodings are: "),
        ({"end_token": "</s>"}, "has no token '</s>'; name the one that ends a document"),
        ({"column": "text"}, "has no column 'text'; choose one of: body, number"),
    ],
)
def test_what_cannot_be_made_is_refused(settings, message, lines, tokenizer, tmp_path):
    wanted = {"dataset": str(lines), "column": "body", "tokenizer": str(tokenizer), **settings}
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        prepare(Request(**wanted), tmp_path / "out", tmp_path / "cache")
    assert not (tmp_path / "out").exists()


def test_a_tokenizer_of_more_tokens_than_uint16_has_is_refused(tmp_path, monkeypatch):
    import tiktoken

    monkeypatch.setattr(
        tiktoken,
        "get_encoding",
        lambda name: tiktoken.Encoding(
            "large",
            pat_str=".",
            mergeable_ranks={bytes([b]): b for b in range(256)},
            special_tokens={"<|endoftext|>": 65536},
        ),
    )
    with pytest.raises(ValueError, match="has 65537 tokens; the files hold uint16, so at most 65536"):
        prepare(Request("somewhere"), tmp_path / "out")


def test_sources_that_are_not_there_or_not_known_are_refused(tokenizer, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "a.txt").write_text("x")
    (tmp_path / "mixed" / "b.jsonl").write_text("{}")
    (tmp_path / "one.jsonl").write_text(json.dumps({"text": "x"}))
    for dataset, error, message in (
        ("missing.jsonl", FileNotFoundError, r"missing\.jsonl is missing"),
        ("empty", ValueError, "has no files that end in"),
        ("notes.md", ValueError, "so its kind is not known"),
        ("mixed", ValueError, "several kinds, json, text"),
        ("one.jsonl", ValueError, "has 1 documents, and needs at least 2"),
    ):
        with pytest.raises(error, match=message):
            prepare(Request(str(tmp_path / dataset), tokenizer=str(tokenizer)), tmp_path / "out", tmp_path / "cache")


def test_a_data_set_that_the_hub_does_not_give_is_an_error_with_a_remedy(tokenizer, tmp_path, monkeypatch):
    import datasets

    def refuse(*arguments, **settings):
        raise RuntimeError("Dataset scripts are no longer supported")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(RuntimeError, match=r"no longer supported.*--revision.*give their folder"):
        prepare(Request(tokenizer=str(tokenizer)), tmp_path / "out")


@pytest.mark.parametrize("library", ["datasets", "tokenizers"])
def test_without_a_library_the_error_says_what_to_install(library, lines, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError, match=rf"needs the library {library}, .*pip install .* datasets tiktoken"):
        prepare(request(lines, tokenizer), tmp_path / "out")


def test_the_draw_of_the_split_is_seeded():
    assert split_rows(1000, 0.05, 1) == split_rows(1000, 0.05, 1) != split_rows(1000, 0.05, 2)
    assert len(set(split_rows(1000, 0.05, 1))) == 50
    assert len(split_rows(10, 0.0005, 1)) == 1


def test_the_command_prints_what_it_made_and_shows_progress(lines, tokenizer, tmp_path, capsys):
    arguments = ["prepare", "--output", str(tmp_path / "out"), "--dataset", str(lines), "--column", "body"]
    arguments += ["--tokenizer", str(tokenizer), "--validation-part", "0.1", "--cache", str(tmp_path / "cache")]
    assert main(arguments) == 0
    shown = capsys.readouterr()
    assert f"{tmp_path / 'out' / 'train.bin'}: 45 documents, " in shown.out
    assert "train.bin: 50 of 50 documents, " in shown.err


def test_its_help_teaches_with_examples(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["prepare", "--help"])
    assert stop.value.code == 0
    assert "python -m bench prepare --output data/openwebtext" in capsys.readouterr().out
