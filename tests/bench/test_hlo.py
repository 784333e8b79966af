"""Tests of bench.hlo."""

from bench.hlo import read_hlo

HLO = """\
HloModule jit_step, is_scheduled=true, entry_computation_layout={(f32[8,4]{1,0}, f32[])->f32[8,4]{1,0}}

%fused_computation (param_0: f32[8,4]) -> f32[8,4] {
  %param_0 = f32[8,4]{1,0} parameter(0)
  %copy.9 = f32[8,4]{1,0} copy(%param_0)
  ROOT %multiply.1 = f32[8,4]{1,0} multiply(%copy.9, %copy.9)
}

%wrapped_copy (param_0.1: f32[8,4]) -> f32[8,4] {
  %param_0.1 = f32[8,4]{1,0} parameter(0)
  ROOT %copy.8 = f32[8,4]{1,0} copy(%param_0.1)
}

%called (p: f32[8,4]) -> f32[8,4] {
  %p = f32[8,4]{1,0} parameter(0)
  ROOT %fusion.2 = f32[8,4]{1,0} fusion(%p), kind=kLoop, calls=%fused_computation
}

ENTRY %main.3 (mu.1: f32[8,4], count.1: f32[]) -> (f32[8,4], f32[]) {
  %mu.1 = f32[8,4]{1,0} parameter(0), metadata={op_name="state[0].mu[0]"}
  %count.1 = f32[] parameter(1)
  %constant.1 = f32[] constant(1)
  %copy.1 = f32[8,4]{1,0} copy(%mu.1)
  %copy.2 = f32[] copy(%count.1)
  %copy-start.1 = (f32[8,4]{1,0:S(5)}, f32[8,4]{1,0}, u32[]) copy-start(%mu.1)
  %copy-done.1 = f32[8,4]{1,0:S(5)} copy-done(%copy-start.1)
  %fusion.1 = f32[8,4]{1,0} fusion(%copy.1), kind=kLoop, calls=%fused_computation
  %fusion.3 = f32[8,4]{1,0} fusion(%copy.1), kind=kLoop, calls=%wrapped_copy
  %call.1 = f32[8,4]{1,0} call(%fusion.1), to_apply=%called
  ROOT %tuple.1 = (f32[8,4]{1,0}, f32[]) tuple(%call.1, %copy.2)
}
"""


def test_kernels_are_what_runs_and_what_is_called_but_not_what_names_memory():
    found = read_hlo(HLO, {32})
    assert found["kernels"] == 6  # copy, copy, copy-start, two fusions, and the one that is called
    assert found["fusions"] == 3


def test_copies_of_parameters_count_on_their_own_wrapped_or_asynchronous_but_not_within_a_fusion():
    assert read_hlo(HLO, {32})["copies"] == 3
    assert read_hlo(HLO, {1})["copies"] == 1  # the counter's
    assert read_hlo(HLO, {7})["copies"] == 0
