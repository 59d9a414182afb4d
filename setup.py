"""Packaging: the fairseq plugin, the offline half and the console command ``xling``."""

from pathlib import Path

from setuptools import find_namespace_packages, find_packages, setup

PREPROCESS = "fairseq_xling_preprocess"  # "preprocess" alone could collide with somebody else's package
preprocess_packages = [PREPROCESS, *(f"{PREPROCESS}.{name}" for name in find_packages("preprocess"))]

setup(
    name="fairseq_xling",
    version="0.1.0",
    description="Cross-lingual pretraining for fairseq: ERNIE-M and WEAM from raw text to evaluation",
    long_description=Path("README.md").read_text(encoding="utf-8") if Path("README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=[
        *find_packages(include=["fairseq_xling", "fairseq_xling.*"]),
        *find_namespace_packages(include=["hydra_plugins", "hydra_plugins.*"]),
        *preprocess_packages,
    ],
    package_dir={PREPROCESS: "preprocess"},
    package_data={"fairseq_xling": ["config/**/*.yaml"], f"{PREPROCESS}.wiki.entities": ["*.sql"]},
    # Exact versions are in requirements/. fairseq-fixed is missing here on purpose: it is installed first and
    # without its dependencies (README), because it asks for torchaudio, which current PyTorch cannot import.
    install_requires=[
        "click>=8.1",
        "hydra-core>=1.3.2,<1.4",
        "numpy>=1.26",
        "omegaconf>=2.3,<2.4",
        "safetensors>=0.4",
        "sentencepiece>=0.2",
        "torch>=2.6",
        "tqdm>=4.66",
        "xopen>=2.0",
    ],
    extras_require={
        "align": ["sacremoses>=0.1", "sil-thot>=3.5"],
        "align-cjk": ["jieba>=0.42", "pythainlp>=5", "sudachidict_small", "sudachipy>=0.6"],
        "report": ["matplotlib>=3.8", "scikit-learn>=1.2", "stopwordsiso>=0.6"],
        "convert": ["protobuf>=4", "transformers>=4.45"],
        "search": ["faiss-cpu>=1.8"],
        "wordpiece": ["tokenizers>=0.20"],
        "fastbpe": ["subword-nmt>=0.3.8"],
        "wiki": ["duckdb>=2.0", "orjson>=3.10", "pyarrow>=18"],
        "wiki-bz2": ["indexed-bzip2>=1.6"],
    },
    entry_points={"console_scripts": ["xling = fairseq_xling_preprocess.cli:main"]},
)
