#include "services/symbolizer/demangle.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace stoker::symbolizer {
namespace {

using sample::v1::Hello;

struct Case {
  const char* mangled;
  const char* simplified;
  const char* templates;
  const char* full;
};

constexpr Case kCases[] = {
    {"main", "main", "main", "main"},
    {"_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector::push_back",
     "std::vector<int, std::allocator<int> >::push_back",
     "std::vector<int, std::allocator<int> >::push_back(int const&)"},
    {"_ZZN3foo3barEvENKUliE_clEi", "foo::bar::{lambda(int)#1}::operator()",
     "foo::bar::{lambda(int)#1}::operator()", "foo::bar()::{lambda(int)#1}::operator()(int) const"},
    {"_ZN12_GLOBAL__N_13fooEv", "(anonymous namespace)::foo", "(anonymous namespace)::foo",
     "(anonymous namespace)::foo()"},
    {"_ZNK3FooltERKS_", "Foo::operator<", "Foo::operator<", "Foo::operator<(Foo const&) const"},
    {"_ZStlsISt11char_traitsIcEERSt13basic_ostreamIcT_ES5_PKc", "std::operator<<",
     "std::operator<< <std::char_traits<char> >",
     "std::basic_ostream<char, std::char_traits<char> >& std::operator<< <std::char_traits<char> "
     ">(std::basic_ostream<char, std::char_traits<char> >&, char const*)"},
    {"_ZN3foo3barEv.constprop.0.isra.1", "foo::bar", "foo::bar", "foo::bar()"},
    {"_ZN3fooIXadL_Z3barvEEE3bazEv", "foo::baz", "foo<&(bar())>::baz", "foo<&(bar())>::baz()"},
    {"_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad",
     "core::fmt::Formatter::pad", "core::fmt::Formatter::pad"},
    {"_RNvC6_123foo3bar", "123foo::bar", "123foo::bar", "123foo::bar"},
};

// Each mode leaves out what it says, and operators, lambdas and anonymous namespaces stay.
TEST(DemangleTest, Modes) {
  for (const Case& c : kCases) {
    EXPECT_EQ(Demangle(c.mangled, Hello::DEMANGLE_NONE), c.mangled);
    EXPECT_EQ(Demangle(c.mangled, Hello::DEMANGLE_SIMPLIFIED), c.simplified);
    EXPECT_EQ(Demangle(c.mangled, Hello::DEMANGLE_TEMPLATES), c.templates);
    EXPECT_EQ(Demangle(c.mangled, Hello::DEMANGLE_FULL), c.full);
  }
}

// A short name that stands for one without end stays as it is, and takes no time.
TEST(DemangleTest, Bomb) {
  // S_ is std::pair; each parameter is a pair of the one before it, twice as long when written out.
  std::string bomb = "_Z1fSt4pairIiiE";
  for (const char digit : std::string_view("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    const std::string last = std::string("S") + digit + "_";
    bomb += "S_I" + last + last + "E";
  }
  EXPECT_EQ(Demangle(bomb, Hello::DEMANGLE_FULL), bomb);
  const std::string deep = "_Z" + std::string(60'000, 'P') + "i";
  EXPECT_EQ(Demangle(deep, Hello::DEMANGLE_FULL), deep);
}

}  // namespace
}  // namespace stoker::symbolizer
