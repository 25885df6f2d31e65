/* A library that makes one variable of the process active and does nothing with it.
 *
 * Preloaded into a program that declares no input, it shows what differentiation costs code that has nothing to do with
 * the active variable, in forward mode and in recording mode.
 */
#include <derivgrind.h>

static double active_variable = 1.0;

__attribute__((constructor)) static void activate(void)
{
  double dot = 1.0;
  DG_SET_DOTVALUE(&active_variable, &dot, sizeof(dot));
  DG_INPUTF(active_variable);
}
