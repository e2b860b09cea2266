#include "services/common/config/eval/evaluator.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/common/config/fake_environment.h"
#include "services/common/config/syntax/parser.h"

namespace stoker::config {
namespace {

using ::testing::HasSubstr;

class EvaluatorTest : public ::testing::Test {
 protected:
  // The value as Go prints it with its type, or the errors.
  std::string Evaluate(const std::string& text) {
    const SourceFile file("test", text);
    Diagnostics diagnostics;
    const auto expression = ParseExpression(file, diagnostics);
    const EmptyScope scope;
    const auto value = expression
                           ? Evaluator(scope, environment_, diagnostics).Evaluate(*expression)
                           : std::nullopt;
    if (!value) return diagnostics.RenderErrors();
    return std::string(TypeName(value->type())) + " " + Print(*value);
  }

  FakeEnvironment environment_;
};

// Operators, indices and literals give Alloy's results.
TEST_F(EvaluatorTest, EvaluatesOperators) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"3 + 5 * 2", "number 13"},
      {"3 ^ 5", "number 243"},
      {"42.0^-2", "number 0.0005668934240362812"},
      {"-2 ^ 2", "number 4"},
      {"5 % 3", "number 2"},
      {"3.0 / 5.0", "number 0.6"},
      {"7 / 2", "number 3"},
      {"7 / 2.0", "number 3.5"},
      {"010", "number 8"},
      {"08", "number 8"},
      {"18446744073709551615", "number 18446744073709551615"},
      {"9223372036854775807 + 1", "number -9223372036854775808"},
      {"(0 - 9223372036854775807 - 1) / -1", "number -9223372036854775808"},
      {"1e3", "number 1000"},
      {"\"a\" + \"b\"", "string ab"},
      {"\"a\" < \"b\"", "bool true"},
      {"1 == 1.0", "bool true"},
      {"1 == \"1\"", "bool false"},
      {"[1, {a = 2}] == [1, {\"a\" = 2}]", "bool true"},
      {"!true || false && true", "bool false"},
      {"null == null", "bool true"},
      {"{}[\"foo\"]", "null <nil>"},
      {"[[1,2,3]][0][2]", "number 3"},
      {"{a = {b = 7}}.a.b", "number 7"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(Evaluate(text), expected) << text;
}

// The standard library, by its current and its old names.
TEST_F(EvaluatorTest, CallsTheStandardLibrary) {
  environment_.variables = {{"HOME", "/root"}};
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"sys.env(\"HOME\") + env(\"NONE\")", "string /root"},
      {"constants.hostname + constants.os", "string node-1linux"},
      {"coalesce(\"\", null, [], 0, \"x\")", "string x"},
      {"coalesce()", "null <nil>"},
      {"concat([1], array.concat([2, 3], []))", "array [1 2 3]"},
      {"array.combine_maps([{a = 1, b = 2}, {a = 9}], [{a = 1, c = 3}], [\"a\"])",
       "array [map[a:1 b:2 c:3]]"},
      {"array.group_by([{a = 1, b = 2}, {a = 1, b = 3}, {b = 4}], \"a\", true)",
       "array [map[a:1 items:[map[a:1 b:2] map[a:1 b:3]]]]"},
      {"encoding.from_json(`{\"a\": [1, 2.5, null, \"x\", true]}`).a",
       "array [1 2.5 <nil> x true]"},
      {"json_decode(\"[1]\")[0]", "number 1"},
      {"encoding.to_json({b = [1], a = \"x\"})", "string {\"a\":\"x\",\"b\":[1]}"},
      {"encoding.from_yaml(\"a: [1, x, 'true', true]\").a", "array [1 x true true]"},
      {"encoding.from_base64(\"aGk=\") + base64_decode(\"aGk=\")", "string hihi"},
      {"encoding.to_base64(\"hi?\") + encoding.to_URLbase64(\"~~~~\")", "string aGk/fn5-fg=="},
      {"encoding.from_URLbase64(\"fn5-fg==\")", "string ~~~~"},
      {"encoding.url_encode(\"a b/ä\")", "string a+b%2F%C3%A4"},
      {"encoding.url_decode(\"a+b%2F\")", "string a b/"},
      {"json_path(`{\"a\": [{\"b\": 1}, {\"b\": 2}]}`, \"$.a[*].b\")", "array [1 2]"},
      {"json_path(`{\"a\": {\"b\": 1}, \"b\": 3}`, \"$..b\")", "array [3 1]"},
      {"string.format(\"%s-%05d-%.2f-%q-%v-%x%%\", \"a\", 42, 1.5, \"q\", [1, true], 255)",
       "string a-00042-1.50-\"q\"-[1 true]-ff%"},
      {"string.join([\"a\", 1], \"-\") + join([], \"x\")", "string a-1"},
      {"string.replace(\"aXbX\", \"X\", \"--\")", "string a--b--"},
      {"string.split(\"a,b,\", \",\")", "array [a b ]"},
      {"string.to_upper(\"aä\") + to_lower(\"AÄ\")", "string AÄaä"},
      {"string.trim(\"!?a?!\", \"!?\") + trim_space(\"  b \")", "string ab"},
      {"string.trim_prefix(\"ab\", \"a\") + string.trim_suffix(\"ab\", \"b\")", "string ba"},
      {"file.path_join(\"/a/\", \"../b\", \"/c\")", "string /b/c"},
      {"convert.nonsensitive(\"x\")", "string x"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(Evaluate(text), expected) << text;
}

// Each error names the part of the expression that is wrong.
TEST_F(EvaluatorTest, ReportsErrors) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"1 / 0", "test:1:1: divide by zero error"},
      {"1 % 0", "test:1:1: divide by zero error"},
      {"true + 1", "test:1:1: true should be one of [number string capsule] for binop +, got bool"},
      {"1 + true", "test:1:5: true should be one of [number string capsule] for binop +, got bool"},
      {"\"a\" - 1", "test:1:1: \"a\" should be number for binop -, got string"},
      {"1 && true", "test:1:1: 1 should be bool for binop &&, got number"},
      {"1 + \"a\"", "test:1:1: cannot apply + to number and string"},
      {"!1", "test:1:2: 1 should be bool, got number"},
      {"-\"a\"", "test:1:2: \"a\" should be number, got string"},
      {"foo", "test:1:1: identifier \"foo\" does not exist"},
      {"{a = 1}.b", "test:1:1: field \"b\" does not exist"},
      {"[1][1]", "test:1:5: index 1 is out of range of array with length 1"},
      {"[1][\"a\"]", "test:1:5: index should be number, got string"},
      {"true[0]", "test:1:1: expected object or array, got bool"},
      {"\"a\"(1)", "test:1:1: \"a\" should be function, got string"},
      {"sys.env()", "test:1:1: env: expected 1 arguments, got 0"},
      {"string.join(1, \"\")", "test:1:1: join: argument 1 should be array, got number"},
      {"encoding.from_json(\"{\")", "test:1:1: from_json: invalid JSON"},
      {"encoding.from_yaml(\"{\")", "test:1:1: from_yaml: invalid YAML"},
      {"string.format(\"%d\")", "test:1:1: format: no argument for %d"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_THAT(Evaluate(text), HasSubstr(expected)) << text;
  }
}

// Documents that multiply or nest without end are refused.
TEST_F(EvaluatorTest, BoundsDocuments) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string name = "a" + std::to_string(i);
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += name + ": &" + name + " [";
    for (int j = 0; j < 10; ++j) bomb += (j == 0 ? "" : ", ") + before;
    bomb += "]\n";
  }
  EXPECT_THAT(Evaluate("encoding.from_yaml(`" + bomb + "`)"), HasSubstr("more than 100 levels or"));
  EXPECT_THAT(
      Evaluate("encoding.from_json(`" + std::string(1000, '[') + std::string(1000, ']') + "`)"),
      HasSubstr("nested deeper than 100 levels"));
}

}  // namespace
}  // namespace stoker::config
