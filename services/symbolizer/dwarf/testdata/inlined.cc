// What the tests of DWARF read: functions that are inlined into each other. Lines count.
volatile int sink;

namespace shop {

struct Basket {
  __attribute__((always_inline)) void Add(int price) { total += price * sink; }
  int total = 0;
};

inline __attribute__((always_inline)) int Fill(Basket& basket, int count) {
  for (int i = 0; i < count; ++i) {
    basket.Add(i);
  }
  return basket.total;
}

__attribute__((noinline)) int Sell(int count) {
  Basket basket;
  sink = count;
  return Fill(basket, count);
}

}  // namespace shop

int main(int argc, char**) { return shop::Sell(argc); }
