#pragma once

#include <string>
#include <tuple>
#include <utility>

#include <absl/status/statusor.h>
#include <fmt/format.h>

#include "services/common/base/status.h"
#include "services/common/config/eval/conversion.h"
#include "services/common/config/eval/value.h"

namespace stoker::config {

// "argument 2 should be string, got array".
inline absl::Status ArgumentError(std::size_t index, const Mismatch& mismatch) {
  return InvalidArgument("argument {} {}", index + 1, mismatch.message);
}

// A function of the language with arguments of fixed types; `body` takes them and returns a
// StatusOr<Value>.
template <typename... Arguments, typename Body>
Value Define(std::string name, Body body) {
  auto call = [body](const Value::Array& values) -> absl::StatusOr<Value> {
    if (values.size() != sizeof...(Arguments)) {
      return InvalidArgument("expected {} arguments, got {}", sizeof...(Arguments), values.size());
    }
    std::tuple<Arguments...> arguments;
    absl::Status status;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      const auto convert = [&](std::size_t index, auto& out) {
        if (!status.ok()) return;
        if (const auto mismatch = ConvertTo(values[index], out)) {
          status = ArgumentError(index, *mismatch);
        }
      };
      (convert(I, std::get<I>(arguments)), ...);
    }(std::index_sequence_for<Arguments...>());
    if (!status.ok()) return status;
    return std::apply(body, std::move(arguments));
  };
  return Value(Value::Function{std::move(name), std::move(call)});
}

// A function that takes its arguments as they are.
template <typename Body>
Value DefineVariadic(std::string name, Body body) {
  return Value(Value::Function{std::move(name), std::move(body)});
}

}  // namespace stoker::config
