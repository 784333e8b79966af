"""What PyTorch users rely on beyond the rule itself, which the vectors check."""

import copy
import io
import pickle

import pytest
import torch

from alphaadam.torch import AlphaAdam
from tests.implementations import readme
from tests.implementations.torch.training import assert_identical, make_parameters, set_gradients, train

AS_ADAMW = {"masking": "none", "alpha": 1.0}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64])
@pytest.mark.parametrize("options", [{}, {"maximize": True}, {"weight_decay": 0.0}, {"betas": (0.5, 0.9), "eps": 1e-3}])
def test_without_masking_it_is_adamw_bit_for_bit(dtype, options):
    ours, theirs = make_parameters(dtype), make_parameters(dtype)
    train(AlphaAdam(ours, lr=0.01, foreach=False, **AS_ADAMW, **options), ours, 0, 6)
    train(torch.optim.AdamW(theirs, lr=0.01, foreach=False, **options), theirs, 0, 6)
    assert_identical(ours, theirs)


@pytest.mark.parametrize("fused", [False, True])
def test_an_adamw_checkpoint_continues_and_goes_back(fused):
    parameters = make_parameters()
    adamw = torch.optim.AdamW(parameters, lr=0.01, fused=fused)
    train(adamw, parameters, 0, 3)
    expected = copy.deepcopy(parameters)
    continued = torch.optim.AdamW(expected, lr=0.01, foreach=False)
    state = copy.deepcopy(adamw.state_dict()["state"])  # loading shares the tensors
    continued.load_state_dict({"state": state, "param_groups": continued.state_dict()["param_groups"]})

    ours = AlphaAdam(parameters, lr=1.0, foreach=False, **AS_ADAMW)
    ours.load_state_dict(adamw.state_dict())
    assert ours.param_groups[0]["lr"] == 0.01
    train(ours, parameters, 3, 6)
    back = torch.optim.AdamW(parameters, lr=1.0, foreach=False)
    back.load_state_dict(ours.state_dict())
    train(back, parameters, 6, 8)

    train(continued, expected, 3, 8)
    assert_identical(parameters, expected)


def test_a_loaded_adamw_group_keeps_the_masking_of_the_constructor():
    parameters = make_parameters()
    adamw = torch.optim.AdamW(parameters)
    train(adamw, parameters, 0, 1)
    ours = AlphaAdam(parameters, masking="sync", alpha="count", alpha_max=7.0)
    ours.load_state_dict(adamw.state_dict())
    group = ours.param_groups[0]
    assert (group["masking"], group["alpha"], group["alpha_max"]) == ("sync", "count", 7.0)
    assert "amsgrad" not in group


def test_the_state_is_adamws_and_nothing_more():
    ours, theirs = make_parameters(), make_parameters()
    optimizer, adamw = AlphaAdam(ours, record_diagnostics=True), torch.optim.AdamW(theirs)
    train(optimizer, ours, 0, 1)
    train(adamw, theirs, 0, 1)
    for index, expected in adamw.state_dict()["state"].items():
        actual = optimizer.state_dict()["state"][index]
        assert {k: (v.shape, v.dtype) for k, v in actual.items()} == {
            k: (v.shape, v.dtype) for k, v in expected.items()
        }


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        (lambda p: torch.optim.AdamW(p, amsgrad=True), "amsgrad=True.*Continue with torch.optim.AdamW"),
        (lambda p: torch.optim.Adam(p, weight_decay=0.1), "coupled weight decay"),
        (lambda p: torch.optim.SGD(p, momentum=0.9), "lacks step, exp_avg, exp_avg_sq"),
    ],
)
def test_a_state_that_cannot_be_used_is_refused_and_changes_nothing(saved, message):
    parameters = make_parameters()
    other = saved(parameters)
    train(other, parameters, 0, 2)
    ours = AlphaAdam(parameters)
    train(ours, parameters, 0, 2)
    before = copy.deepcopy(ours.state_dict())
    with pytest.raises(ValueError, match=message):
        ours.load_state_dict(other.state_dict())
    assert str(ours.state_dict()) == str(before)


def test_a_saved_run_resumes_bit_for_bit():
    parameters = make_parameters()
    optimizer = AlphaAdam(parameters, lr=0.01)
    train(optimizer, parameters, 0, 4)
    file = io.BytesIO()
    torch.save({"parameters": [p.detach() for p in parameters], "optimizer": optimizer.state_dict()}, file)
    train(optimizer, parameters, 4, 8)

    file.seek(0)
    checkpoint = torch.load(file, weights_only=True)
    resumed = [torch.nn.Parameter(tensor) for tensor in checkpoint["parameters"]]
    fresh = AlphaAdam(resumed)
    fresh.load_state_dict(checkpoint["optimizer"])
    train(fresh, resumed, 4, 8)
    assert_identical(resumed, parameters)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_copies_continue_alike(clone):
    parameters = make_parameters()
    optimizer = AlphaAdam(parameters, lr=0.01, record_diagnostics=True)
    train(optimizer, parameters, 0, 2)
    other, others = clone((optimizer, parameters))
    assert other.record_diagnostics
    train(optimizer, parameters, 2, 4)
    train(other, others, 2, 4)
    assert_identical(others, parameters)


def test_complex_parameters_are_pairs_of_reals():
    complex_ones = make_parameters(torch.complex64)
    pairs = [torch.nn.Parameter(torch.view_as_real(p.detach()).clone()) for p in complex_ones]
    ours, reals = AlphaAdam(complex_ones, lr=0.01), AlphaAdam(pairs, lr=0.01)
    for step in range(4):
        set_gradients(complex_ones, step)
        for pair, parameter in zip(pairs, complex_ones, strict=True):
            pair.grad = None if parameter.grad is None else torch.view_as_real(parameter.grad)
        ours.step()
        reals.step()
    assert_identical([torch.view_as_real(p.detach()) for p in complex_ones], pairs)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_only_where_it_is_stored(dtype):
    def stored(x):
        return x.to(dtype).double()

    parameter = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=dtype))
    optimizer = AlphaAdam([parameter], lr=0.1)
    theta, m, v = parameter.detach().double(), torch.zeros(4).double(), torch.zeros(4).double()
    for t, gradient in enumerate(([1.0, 0.3, -0.7, 2.0], [-0.5, 0.1, -0.2, 1.0], [0.25, -1.0, 0.3, -1.5]), start=1):
        parameter.grad = torch.tensor(gradient, dtype=dtype)
        optimizer.step()

        g = parameter.grad.double()
        mask = (m == 0) | (m * g > 0)
        m, v = stored(0.9 * m + 0.1 * g), stored(0.999 * v + 0.001 * g * g)
        u = m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
        alpha = min(u.norm() / (mask * u).norm(), 2)
        theta = stored((1 - 0.1 * 0.01) * theta - 0.1 * alpha * mask * u)
        assert torch.equal(optimizer.state[parameter]["exp_avg"].double(), m)
        assert torch.equal(optimizer.state[parameter]["exp_avg_sq"].double(), v)
        assert torch.equal(parameter.detach().double(), theta)


@pytest.mark.parametrize(("alpha", "spreads"), [("norm", True), ("count", False), (1.0, False)])
def test_a_nan_gradient_is_loud(alpha, spreads):
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = AlphaAdam([parameter], alpha=alpha)
    parameter.grad = torch.ones(3)
    optimizer.step()
    parameter.grad = torch.tensor([1.0, torch.nan, -1.0])
    optimizer.step()
    assert parameter[1].isnan()
    assert parameter[[0, 2]].isnan().all() == spreads


def test_groups_have_their_own_settings():
    first, second = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    groups = [{"params": [first], "masking": "none", "alpha": 1.0}, {"params": [second]}]
    optimizer = AlphaAdam(groups, lr=0.1, weight_decay=0.0, record_diagnostics=True)
    for gradient in (torch.tensor([1.0, 1.0]), torch.tensor([1.0, -1.0])):
        first.grad = second.grad = gradient
        optimizer.step()
    assert optimizer.diagnostics[first].mask.tolist() == [True, True]
    assert optimizer.diagnostics[second].mask.tolist() == [True, False]
    with pytest.raises(ValueError, match="masking='nome'"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "masking": "nome"})
    assert len(optimizer.param_groups) == 2


def test_schedulers_closures_and_tensor_learning_rates():
    parameter = torch.nn.Parameter(torch.tensor([2.0]))
    optimizer = AlphaAdam([parameter], lr=torch.tensor(0.5), weight_decay=0.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)

    def closure():
        optimizer.zero_grad()
        loss = (parameter**2).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert parameter.item() == pytest.approx(1.5, rel=1e-6)  # the first step moves by the rate, up to eps
    scheduler.step()
    assert float(optimizer.param_groups[0]["lr"]) == 0.25
    optimizer.step(closure)
    assert parameter.item() > 1.2


def test_a_learning_rate_that_turns_bad_later_is_an_error():
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = AlphaAdam([parameter])
    parameter.grad = torch.ones(1)
    optimizer.param_groups[0]["lr"] = float("nan")
    with pytest.raises(ValueError, match="lr=nan"):
        optimizer.step()
    assert parameter.item() == 1.0


def test_a_sparse_gradient_says_what_to_do():
    embedding = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = AlphaAdam(embedding.parameters())
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match=r"sparse_coo.*\(4, 2\).*sparse=False"):
        optimizer.step()


def test_what_is_wrong_with_one_group_shows_before_another_is_stepped():
    parameter, embedding = torch.nn.Parameter(torch.ones(2)), torch.nn.Embedding(4, 2, sparse=True)
    optimizer = AlphaAdam([{"params": [parameter]}, {"params": embedding.parameters()}])
    parameter.grad = torch.ones(2)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="sparse"):
        optimizer.step()
    assert parameter.tolist() == [1.0, 1.0]


def test_betas_that_are_no_pair_are_refused():
    with pytest.raises(TypeError, match=r"betas=0.9 .*betas=\(0.9, 0.999\)"):
        AlphaAdam([torch.nn.Parameter(torch.ones(1))], betas=0.9)
    with pytest.raises(ValueError, match=r"betas\[1\]=1.0"):
        AlphaAdam([torch.nn.Parameter(torch.ones(1))], betas=(0.9, 1.0))


def test_diagnostics_are_kept_only_when_asked_for():
    parameters = make_parameters()
    optimizer = AlphaAdam(parameters)
    train(optimizer, parameters, 0, 1)
    assert optimizer.diagnostics == {}
    with pytest.raises(TypeError, match="record_diagnostics='yes'"):
        AlphaAdam(parameters, record_diagnostics="yes")


def test_an_empty_tensor_is_left_alone():
    parameter = torch.nn.Parameter(torch.empty(0, 3))
    optimizer = AlphaAdam([parameter], record_diagnostics=True)
    parameter.grad = torch.empty(0, 3)
    optimizer.step()
    assert optimizer.diagnostics[parameter].alpha.item() == 1.0


def test_the_readme_example_runs():
    names = readme.run_example("alphaadam.torch")
    assert len(names["optimizer"].state) == 2


# Where a graph breaks after ``backward``, Dynamo looks for a gradient of everything that lives, the loss included.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize("block", readme.blocks("docs/pytorch.md"))
def test_the_examples_of_the_documentation_run(block):
    readme.run(block, "docs/pytorch.md")
