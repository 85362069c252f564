"""The repository is what Triton reads: its layout, and a configuration that its own protobuf definition takes."""

import onnx
import pytest

from edge.errors import ConfigError
from edge.recogniser import default_model
from edge.sequence import default_row_model
from export.triton import write_repository


def parsed(home):
    reason = "needs Triton's protobuf definition: pip install 'tritonclient[grpc]'"
    definition = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason=reason)
    from google.protobuf import text_format

    return text_format.Parse((home / "config.pbtxt").read_text(), definition.ModelConfig())


def test_a_repository_is_laid_out_as_triton_wants_it(tmp_path):
    home = write_repository(default_model(), tmp_path / "models")
    assert home == tmp_path / "models" / "digits"
    names = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
    assert names == ["1/model.onnx", "config.pbtxt", "labels.txt"]
    assert (home / "1" / "model.onnx").read_bytes() == default_model().read_bytes()
    assert (home / "labels.txt").read_text().split() == [*"0123456789", "reject"]


@pytest.mark.parametrize(("model", "name", "taken", "given"), [
    (default_model(), "digits", [28, 28], [11]), (default_row_model(), "rows", [32, -1], [-1, 11]),
])  # fmt: skip
def test_the_configuration_is_valid_and_says_what_the_graph_says(tmp_path, model, name, taken, given):
    config = parsed(write_repository(model, tmp_path))
    (crops,), (log_probs,) = config.input, config.output
    graph = onnx.load(model).graph
    assert (config.name, config.backend) == (name, "onnxruntime")
    assert (crops.name, log_probs.name) == (graph.input[0].name, graph.output[0].name)
    assert list(crops.dims) == taken and list(log_probs.dims) == given
    kinds = type(config).DESCRIPTOR.file.enum_types_by_name["DataType"].values_by_name
    assert (crops.data_type, log_probs.data_type) == (kinds["TYPE_UINT8"].number, kinds["TYPE_FP32"].number)
    assert config.max_batch_size == 4096 and config.HasField("dynamic_batching")
    assert all(size <= config.max_batch_size for size in config.dynamic_batching.preferred_batch_size)
    assert config.model_warmup[0].inputs[crops.name].data_type == crops.data_type
    assert all(size > 0 for size in config.model_warmup[0].inputs[crops.name].dims)


def test_a_repository_is_written_anew_over_an_old_one(tmp_path):
    first = write_repository(default_model(), tmp_path)
    (first / "config.pbtxt").write_text("old")
    assert (write_repository(default_model(), tmp_path) / "config.pbtxt").read_text().startswith('name: "digits"')


def test_a_file_that_is_none_of_digitds_gives_no_repository(tmp_path):
    model = onnx.load(default_model())
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(ConfigError, match="no digitd metadata"):
        write_repository(tmp_path / "bare.onnx", tmp_path / "models")
    assert not (tmp_path / "models").exists()
