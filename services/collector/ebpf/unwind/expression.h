#pragma once

#include <string_view>

#include "services/collector/ebpf/unwind/frame_state.h"
#include "services/collector/ebpf/unwind/machine.h"

namespace stoker::ebpf::unwind {

// DWARF expressions of call frame information, understood where their value is one of the forms
// that rules have; anything else is kUnsupported. The work is bounded by the expression's size.

// Of DW_CFA_def_cfa_expression.
CfaState CfaOfExpression(std::string_view expression, const Machine& machine);

// Of DW_CFA_expression: the expression is the address where the value is saved; with `is_value`, of
// DW_CFA_val_expression: it is the value.
SavedState SavedByExpression(std::string_view expression, bool is_value);

}  // namespace stoker::ebpf::unwind
