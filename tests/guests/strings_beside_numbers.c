/* Searches in strings that have active numbers behind their end: vector registers hold both. */
#define _GNU_SOURCE
#include <derivgrind.h>
#include <fenv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NUMBERS = 15 };

/* 128 bytes, as many as any search looks at in one step. */
struct line {
  char text[8];
  double numbers[NUMBERS];
} __attribute__((aligned(128)));

static volatile size_t found;

static void search(const struct line* one, const struct line* other)
{
  const char* volatile text = one->text;
  const char* volatile other_text = other->text;
  found += strlen(text) + strnlen(text, 100) + (size_t)strcmp(text, other_text);
  found += (size_t)strncmp(text, other_text, 50) + (size_t)strcasecmp(text, other_text);
  found += (size_t)(strchr(text, 'e') - text) + (size_t)(strrchr(text, 'e') - text);
  found += (size_t)((char*)memchr(text, 'n', 60) - text) + (strchr(text, 'x') == NULL);
  found += (size_t)memcmp(text, other_text, 3) + strcspn(text, "n") + strspn(text, "lin");
  found += (size_t)((char*)memrchr(text, 'l', 5) - text) + (size_t)((char*)rawmemchr(text, 'n') - text);
  found += (size_t)(strchrnul(text, 'y') - text) + (strstr(text, "ne") != NULL);
}

int main(void)
{
  static struct line one = {"line", {0}};
  static struct line other = {"line", {0}};
  for (int i = 0; i < NUMBERS; i++) {
    const double dot = 1.0 + i;
    one.numbers[i] = other.numbers[i] = 0.5 + i;
    DG_SET_DOTVALUE(&one.numbers[i], &dot, sizeof dot);
    DG_SET_DOTVALUE(&other.numbers[i], &dot, sizeof dot);
    DG_INPUTF(one.numbers[i]);
    DG_INPUTF(other.numbers[i]);
  }
  search(&one, &other);
  found += (size_t)fetestexcept(FE_ALL_EXCEPT);
  printf("%zu\n", found);
  return 0;
}
