"""``xling eval tatoeba``: layouts, numbers, output files, wrong input."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from fairseq_xling.errors import UserError
from fairseq_xling.evaluation.encoding import default_layer
from fairseq_xling.evaluation.tatoeba.bitext import find_bitexts, parse_bitext
from fairseq_xling.evaluation.tatoeba.evaluate import evaluate, result_rows
from fairseq_xling_preprocess.cli import main

LEFT = ["Sie schrieb ein Buch", "deux chiens", "Brücke aus Stein", "die Berge"]
RIGHT = ["the old town", "Two dogs run", "A bridge of stone", "river"]


def write(path: Path, lines: list[str]) -> Path:
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as error:
        main(["eval", "tatoeba", *map(str, words)])
    return int(error.value.code or 0)


def test_default_layer_is_two_thirds_up_or_the_fine_tuned_one():
    assert [default_layer(n) for n in (3, 6, 12, 24)] == [2, 4, 8, 16]
    assert default_layer(12, trained_layer=12) == 12


def test_laser_layout(tmp_path):
    for language in ("deu", "fra"):
        for side in (language, "eng"):
            write(tmp_path / f"tatoeba.{language}-eng.{side}", ["x"])
    write(tmp_path / "README.txt", ["not a test set"])
    found = find_bitexts(tmp_path)
    assert [(b.name, b.a, b.b, b.file_a.name) for b in found] == [
        ("deu-eng", "deu", "eng", "tatoeba.deu-eng.deu"),
        ("fra-eng", "fra", "eng", "tatoeba.fra-eng.fra"),
    ]


def test_any_prefix_compression_and_order(tmp_path):
    """English becomes the second side; prefixes are named where there are several."""
    for prefix in ("tatoeba", "tico19"):
        for side in ("en", "sw"):
            write(tmp_path / f"{prefix}.en-sw.{side}.gz", ["x"])
    write(tmp_path / "tico19.en-sw.ids.gz", ["1"])
    found = find_bitexts(tmp_path)
    assert [(b.name, b.a, b.b) for b in found] == [("tatoeba.sw-en", "sw", "en"), ("tico19.sw-en", "sw", "en")]
    assert found[0].file_a.name == "tatoeba.en-sw.sw.gz"


def test_no_prefix(tmp_path):
    write(tmp_path / "de-en.de", ["x"])
    write(tmp_path / "de-en.en", ["y"])
    assert [b.name for b in find_bitexts(tmp_path)] == ["de-en"]


def test_pair_option(tmp_path):
    left, right = write(tmp_path / "any.gz", ["ein"]), write(tmp_path / "name", ["one"])
    bitext = parse_bitext(f"en-de={right},{left}")
    assert (bitext.name, bitext.read()) == ("de-en", (["ein"], ["one"]))
    for wrong in ("de-en", "de-en=one", f"de={left},{right}", f"de-en={left},", f"de-en={left},{tmp_path / 'no'}"):
        with pytest.raises(UserError, match="--pair"):
            parse_bitext(wrong)


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (["a", "b", "c"], ["x", "y"], "has 3 lines and .* has 2"),
        ([], ["x"], "empty"),
        (["a", "", "c"], ["x", "y", "z"], r"l:2: blank line; remove line 2 from both files"),
    ],
)
def test_malformed_pairs(tmp_path, left, right, message):
    files = write(tmp_path / "l", left), write(tmp_path / "r", right)
    with pytest.raises(UserError, match=message):
        parse_bitext(f"de-en={files[0]},{files[1]}").read()


def test_a_missing_side_is_named(tmp_path):
    write(tmp_path / "tatoeba.deu-eng.deu", ["x"])
    with pytest.raises(UserError, match=r"deu-eng\.deu: its other side, ending in \.eng, is not in"):
        find_bitexts(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        find_bitexts(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"expected pairs like tatoeba\.deu-eng\.deu"):
        find_bitexts(tmp_path / "empty")


def test_a_sentence_finds_itself_at_every_layer(loaded, tmp_path):
    file = write(tmp_path / "same", RIGHT)
    result = evaluate(loaded, [parse_bitext(f"de-en={file},{file}")], scratch=tmp_path)[0]
    assert result["accuracy"] == {"de->en": [1.0] * 4, "en->de": [1.0] * 4}
    assert not list(tmp_path.glob(".embeddings*"))


def test_swapped_lines_and_copies_count_by_line_number(loaded, tmp_path):
    """The second copy of a sentence can only find the first one."""
    left = write(tmp_path / "left", ["Two dogs run", "river", "river", "the old town"])
    right = write(tmp_path / "right", ["the old town", "river", "river", "Two dogs run"])
    result = evaluate(loaded, [parse_bitext(f"de-en={left},{right}")], scratch=tmp_path)[0]
    assert result["accuracy"]["de->en"] == [0.25] * 4
    assert result["duplicates"] == {"de": 1, "en": 1}


def test_long_sentences_are_cut_and_counted(loaded, tmp_path, caplog):
    left = write(tmp_path / "left", ["river " * 40, "town"])
    right = write(tmp_path / "right", ["river " * 41, "old"])
    result = evaluate(loaded, [parse_bitext(f"de-en={left},{right}")], scratch=tmp_path)[0]
    assert result["cut"] == 2
    assert "1 of 2 sentences are cut to the model's 24 positions" in caplog.text


def test_rows_and_their_average():
    def result(a: str, b: str, forward: float, backward: float) -> dict:
        accuracy = {f"{a}->{b}": [0.0, forward], f"{b}->{a}": [0.0, backward]}
        return {"pair": f"{a}-{b}", "a": a, "b": b, "sentences": 10, "accuracy": accuracy}

    rows = result_rows([result("de", "en", 0.2, 0.4), result("fr", "en", 0.6, 0.8), result("cs", "de", 0.1, 0.3)])
    found = {(row["pair"], row["metric"]): row["value"] for row in rows if row["layer"] == 1}
    assert found == {
        ("de-en", "retrieval_acc_xx_en"): 0.2,
        ("de-en", "retrieval_acc_en_xx"): 0.4,
        ("fr-en", "retrieval_acc_xx_en"): 0.6,
        ("fr-en", "retrieval_acc_en_xx"): 0.8,
        ("cs-de", "retrieval_acc_cs_de"): 0.1,
        ("cs-de", "retrieval_acc_de_cs"): 0.3,
        ("average", "retrieval_acc_xx_en"): pytest.approx(0.4),
        ("average", "retrieval_acc_en_xx"): pytest.approx(0.6),
        ("average", "retrieval_acc_cs_de"): 0.1,
        ("average", "retrieval_acc_de_cs"): 0.3,
    }


def test_command_writes_results_report_and_plot(model_folder, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    left = write(tmp_path / "data" / "tatoeba.deu-eng.deu", LEFT)
    write(tmp_path / "data" / "tatoeba.deu-eng.eng", RIGHT)
    out = tmp_path / "out"
    assert run("--checkpoint", model_folder, "--data", tmp_path / "data", "--out", out, "--score", "margin") == 0
    assert sorted(path.name for path in out.iterdir()) == ["layers.png", "report.md", "results.json"]
    assert (out / "layers.png").read_bytes().startswith(b"\x89PNG")
    results = json.loads((out / "results.json").read_text())
    assert results["settings"]["layer"] == 2
    assert results["checkpoint"]["sha256"] == hashlib.sha256((model_folder / "model.pt").read_bytes()).hexdigest()
    assert results["data"][0] == {"path": str(left), "sha256": hashlib.sha256(left.read_bytes()).hexdigest()}
    assert {"command", "seed", "versions", "date"} <= set(results)
    assert len(results["rows"]) == 2 * 2 * 4
    assert all(0 <= row["value"] <= 1 for row in results["rows"])
    report = (out / "report.md").read_text()
    assert "**layer 2** of 3 (default: two thirds up)" in report
    assert "| deu-eng | 4 |" in report
    assert "margin (k = 4)" in report
    assert "| deu-eng | 4 |" in capsys.readouterr().out


def test_command_reports_wrong_input_with_exit_code_2(model_folder, tmp_path, capsys):
    left, right = write(tmp_path / "l", LEFT), write(tmp_path / "r", RIGHT[:3])
    common = ("--checkpoint", model_folder, "--out", tmp_path / "out")
    good = f"de-en={left},{left}"
    for words, message in [
        ((), "no test set"),
        (("--pair", f"de-en={left},{right}"), "has 4 lines and"),
        (("--pair", good, "--pair", good), "the pair de-en is given more than once"),
        (("--data", tmp_path / "no"), "no such folder"),
    ]:
        assert run(*common, *words) == 2
        error = capsys.readouterr().err
        assert message in error
        assert "Traceback" not in error
        assert not (tmp_path / "out").exists()
    assert run(*common, "--pair", good, "--layer", 4) == 2
    assert "--layer 4: the model has the layers 0 (embeddings) to 3" in capsys.readouterr().err
    assert run(*common, "--pair", good, "--fp16", "--device", "cpu") == 2
    assert run("--checkpoint", tmp_path / "none.pt", "--out", tmp_path / "out", "--pair", good) == 2
    assert not (tmp_path / "out").exists()
    blocked = write(tmp_path / "file", ["x"])
    assert run("--checkpoint", model_folder, "--out", blocked / "out", "--pair", good) == 2
    assert "cannot make the folder" in capsys.readouterr().err
