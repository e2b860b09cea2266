// Proves that executable mappings are read from /proc/PID/maps, and that odd lines cost only
// themselves.
#include "services/common/procfs/maps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoker::procfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(ParseMaps, KeepsWhatIsExecutable) {
  EXPECT_THAT(
      ParseMaps("55e0c0000000-55e0c0001000 r--p 00000000 08:01 42  /usr/bin/cat\n"
                "55e0c0001000-55e0c0005000 r-xp 00001000 08:01 42  /usr/bin/cat\n"
                "7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0   [vdso]\n"),
      ElementsAre(ExecutableMapping{0x55e0c0001000, 0x55e0c0005000, 0x1000, 42, "/usr/bin/cat"},
                  ExecutableMapping{0x7ffc00000000, 0x7ffc00002000, 0, 0, "[vdso]"}));
}

TEST(ParseMaps, KeepsBlanksInPathsAndMappingsWithoutOne) {
  EXPECT_THAT(ParseMaps("1000-2000 rwxp 00000000 00:00 0 \n"
                        "3000-4000 r-xp 00000000 00:01 7   /memfd:a b (deleted)"),
              ElementsAre(ExecutableMapping{0x1000, 0x2000, 0, 0, ""},
                          ExecutableMapping{0x3000, 0x4000, 0, 7, "/memfd:a b (deleted)"}));
}

TEST(ParseMaps, PassesOverWhatIsNoMapping) {
  EXPECT_THAT(ParseMaps("\n\nx\n2000-1000 r-xp 00000000 00:00 0 \n1000-2000 r-xp\n-1-2 r-xp 0"),
              IsEmpty());
}

}  // namespace
}  // namespace stoker::procfs
