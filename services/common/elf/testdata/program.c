/* A program whose symbols the tests look for. Compiled at build time. */
int hot_counter;

__attribute__((noinline)) int stoker_hot(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) sum += i * hot_counter;
  return sum;
}

__attribute__((noinline)) static int stoker_work(int n) { return stoker_hot(n) + 1; }

int main(int argc, char** argv) {
  (void)argv;
  return stoker_work(argc);
}
