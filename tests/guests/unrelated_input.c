/* Linked into a program or preloaded: turns differentiation on before main, by an input that nothing else reads. */
#include <derivgrind.h>

static double unrelated = 1.0;

__attribute__((constructor)) static void declare_an_input(void)
{
  double dot = 1.0;
  DG_SET_DOTVALUE(&unrelated, &dot, sizeof dot);
  DG_INPUTF(unrelated);
}
