import tomllib

import pytest
import tomli_w
import torch
from torch import nn

from rnnscope.base.errors import UnsupportedModelError
from rnnscope.runs.folder import without_none
from rnnscope.systems import as_system, describe_model, system_from_description


@pytest.mark.parametrize(
    "model",
    [nn.LSTM(2, 3, num_layers=2, proj_size=2), (nn.GRU(2, 3), nn.Linear(3, 1, bias=False)), nn.RNNCell(1, 2)],
)
def test_rebuilt_from_toml_it_is_the_same_map(model):
    tables = tomllib.loads(tomli_w.dumps(without_none(describe_model(model))))
    own = as_system(model)
    rebuilt = system_from_description(tables).at(own.params)
    assert rebuilt.state_labels == own.state_labels
    state, inputs = torch.randn(3, own.state_size), torch.randn(4, 3, own.input_size)
    assert torch.equal(rebuilt.simulate(state, inputs).outputs, own.simulate(state, inputs).outputs)


def test_what_cannot_be_described_says_why_when_it_is_asked_for():
    tables = describe_model(nn.LSTM(1, 2, bidirectional=True))
    with pytest.raises(UnsupportedModelError, match=r"reads the future.*Run\(path, model=as_system\(step_module"):
        system_from_description(tables)
