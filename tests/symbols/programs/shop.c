/* Functions inlined into each other, and code of another translation unit's style, to be named. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
  char name[16];
  uint32_t price;
  uint32_t count;
};

static inline uint32_t mix(uint32_t hash, uint32_t value) {
  hash ^= value;
  hash *= 0x01000193u;
  return hash ^ (hash >> 15);
}

static inline uint32_t hash_name(const char* name) {
  uint32_t hash = 0x811c9dc5u;
  while (*name != '\0') hash = mix(hash, (uint8_t)*name++);
  return hash;
}

static inline uint32_t hash_item(const struct item* item) {
  return mix(mix(hash_name(item->name), item->price), item->count);
}

static int by_price(const void* a, const void* b) {
  const struct item* left = a;
  const struct item* right = b;
  if (left->price != right->price) return left->price < right->price ? -1 : 1;
  return strcmp(left->name, right->name);
}

__attribute__((noinline)) uint32_t sell(struct item* items, size_t count, int round) {
  uint32_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    if (items[i].count == 0) {
      /* Unlikely: compilers move it away from the rest. */
      fprintf(stderr, "%s is sold out in round %d\n", items[i].name, round);
      abort();
    }
    sum = mix(sum, hash_item(&items[i]));
    switch ((items[i].price + (uint32_t)round) % 7) {
      case 0:
        sum += items[i].count * 3;
        break;
      case 1:
        sum ^= items[i].price << 3;
        break;
      case 2:
        sum -= hash_name(items[i].name);
        break;
      case 3:
        sum = (sum << 7) | (sum >> 25);
        break;
      default:
        items[i].count ^= sum & 6;
        break;
    }
    items[i].count |= 1;
  }
  return sum;
}

int main(int argc, char** argv) {
  struct item items[64];
  for (uint32_t i = 0; i < 64; ++i) {
    snprintf(items[i].name, sizeof items[i].name, "item %u", i);
    items[i].price = mix(i, (uint32_t)argc) % 1000;
    items[i].count = i + 1;
  }
  uint32_t sum = (uint32_t)strlen(argv[0]);
  for (int round = 0; round < 1000; ++round) {
    qsort(items, 64, sizeof items[0], by_price);
    sum = mix(sum, sell(items, 64, round));
  }
  printf("%u\n", sum);
  return 0;
}
