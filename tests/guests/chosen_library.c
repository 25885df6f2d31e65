/* Calls a function of the library that its argument names, before and after there is an input. */
#include <derivgrind.h>
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
  double (*function)(double) = NULL;
  double x = 0.5, dot = 1.0, y, derivative;
  if (library) *(void **)&function = dlsym(library, "function");
  if (!function) {
    puts("no function");
    return 1;
  }
  printf("%.17g\n", function(x));
  DG_SET_DOTVALUE(&x, &dot, sizeof x);
  y = function(x);
  DG_GET_DOTVALUE(&y, &derivative, sizeof y);
  printf("%.17g %.17g\n", y, derivative);
  return 0;
}
