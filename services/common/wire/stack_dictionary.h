#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "proto/sample/v1/sample.pb.h"
#include "proto/symbol/v1/symbol.pb.h"

namespace stoker::wire {

// What the numbers of a stream of raw stacks stand for, from one reset to the next. Numbers count
// from 1; entry 0 of every table is "none". Every number in it is valid: a reader needs no check.
// Grows only; written by one RawStackDecoder.
struct StackDictionary {
  struct Mapping {
    sample::v1::Mapping::Kind kind = sample::v1::Mapping::KIND_UNSPECIFIED;
    std::string path;
    bool has_binary = false;
    symbol::v1::BinaryKey binary;
    std::string unreadable_reason;
  };
  struct Frame {
    std::uint64_t address = 0;
    std::uint32_t mapping = 0;
    std::uint32_t function = 0;
    std::uint32_t file = 0;
    std::uint32_t line = 0;
    bool is_return_address = false;
  };

  // Frame numbers of a stack, the innermost first.
  [[nodiscard]] std::span<const std::uint32_t> StackFrames(std::uint32_t stack) const {
    return std::span(stack_frames)
        .subspan(stack_begin[stack], stack_begin[stack + 1] - stack_begin[stack]);
  }

  std::vector<std::string> strings = {""};
  std::vector<Mapping> mappings = {{}};
  std::vector<Frame> frames = {{}};
  // Stack i has stack_frames[stack_begin[i], stack_begin[i + 1]).
  std::vector<std::uint32_t> stack_begin = {0, 0};
  std::vector<std::uint32_t> stack_frames;
  std::vector<sample::v1::Stack::StopReason> stop_reasons = {
      sample::v1::Stack::STOP_REASON_UNSPECIFIED};
  // Whether a stack's last frame is the thread's name.
  std::vector<bool> ends_with_thread = {false};
  // Bytes of `strings`.
  std::uint64_t string_bytes = 0;
};

}  // namespace stoker::wire
