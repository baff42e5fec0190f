/* printf, with what is hard about it: 64-bit integers, floating point, widths. */
#include "check.h"
#include <limits.h>

int main(void)
{
  volatile double third = 1.0 / 3;
  volatile long long large = LLONG_MIN;
  SAY("hello, world");
  SAY("int %d, unsigned %u, long long %lld", -42, UINT_MAX, large);
  SAY("hex %llx, octal %o, char %c, string '%8s' '%-8s'", 0xfeedfacecafebeefULL, 0755, 'F', "right", "left");
  SAY("double %f, %.17g, %e, %10.3f", third, third, third * 1e-300, third * 1000);
  SAY("float %g, zero %g, negative zero %g", (double)(float)third, 0.0, -0.0);
  return 0;
}
