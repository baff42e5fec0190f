/*
 * Floating point: printing, arithmetic in both precisions, fused multiply-add, conversions, the four
 * rounding modes and the exception flags. The results are printed as bits, and are the same on every
 * machine that does IEEE 754; where RISC-V alone defines the answer, it is checked there alone.
 * To be compiled with -ffp-contract=off -frounding-math: nothing fused or moved that isn't so written.
 */
#include "check.h"
#include <fenv.h>
#include <math.h>
#include <stdint.h>

static uint64_t bits(double d)
{
  uint64_t u;
  memcpy(&u, &d, 8);
  return u;
}

static uint32_t bitsf(float f)
{
  uint32_t u;
  memcpy(&u, &f, 4);
  return u;
}

static double fromBits(uint64_t u)
{
  double d;
  memcpy(&d, &u, 8);
  return d;
}

#define BITS(d) ((unsigned long long)bits(d))

static void printing(void)
{
  const double numbers[] = {0,       -0.0,      1,         -1,       0.1,      1.0 / 3,   2.0 / 3,  3.14159265358979,
                            1e10,    1e15,      1e16,      1e17,     1e100,    1e-5,      1e-100,   1.7976931348623157e308,
                            5e-324,  2.2250738585072014e-308, 123456789.125, 0.5, 1.5, 2.5, 1e22, 1e23};
  for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
    SAY("%.17g %g %.3f %e %016llx", numbers[i], numbers[i], fabs(numbers[i]) < 1e30 ? numbers[i] : 0, numbers[i], BITS(numbers[i]));
  SAY("%f %F %g", HUGE_VAL, -HUGE_VAL, fabs(fromBits(0x7ff8000000000000)));
  SAY("%a %a", 1.0, 0.1);
  SAY("%.40f", 0.1);
  SAY("%.17g %.17g", strtod("0.1", NULL), strtod("1e-320", NULL));
  SAY("%.17g %.17g", strtod("179769313486231570814527423731704356798070e267", NULL), strtod("0x1.8p+1", NULL));
}

static void arithmetic(void)
{
  volatile double a = 1.1, b = 2.7, z = 0, big = 1e308, tiny = 5e-324;
  SAY("add %016llx sub %016llx mul %016llx div %016llx", BITS(a + b), BITS(a - b), BITS(a * b), BITS(a / b));
  SAY("sqrt %016llx %016llx, fma %016llx", BITS(sqrt(a)), BITS(sqrt(b * b)), BITS(fma(a, b, -2.97)));
  SAY("overflow %016llx, underflow %016llx, denormal %016llx", BITS(big * 10), BITS(tiny / 2), BITS(tiny * 3));
  SAY("infinity %016llx %016llx", BITS(1 / z), BITS(-1 / z));
  volatile double nan = z / z;
  CHECK(isnan(nan) && nan != nan && !(nan < 1) && !(nan > 1) && !(nan == nan));
  CHECK(isnan(sqrt(-a)) && isnan(fma(1 / z, z, a)));
  CHECK(fmin(nan, 3) == 3 && fmax(3, nan) == 3 && fmin(1, 2) == 1 && fmax(1, 2) == 2);
  SAY("NaN compares with nothing; fmin and fmax pass over it");

  volatile float f = 1.1f, g = 2.7f;
  SAY("float add %08x mul %08x div %08x sqrt %08x fma %08x", bitsf(f + g), bitsf(f * g), bitsf(f / g), bitsf(sqrtf(f)),
      bitsf(fmaf(f, g, -2.97f)));
  SAY("narrowed %08x %08x, widened %016llx", bitsf((float)a), bitsf((float)1e-40), BITS((double)f));
  SAY("copysign %016llx, abs %016llx, negate %016llx", BITS(copysign(a, -0.0)), BITS(fabs(-a)), BITS(-a));
  SAY("classes %d %d %d %d %d", !!isnormal(a), !!isnormal(tiny), !!isinf(big * 10), !!signbit(-z), !!isfinite(a));
}

static void conversions(void)
{
  volatile double x = 2.5, y = -2.5, l = 9007199254740993.0, huge = 1e18;
  volatile int64_t i = INT64_MAX, j = -5;
  volatile uint64_t u = UINT64_MAX;
  volatile int32_t k = INT32_MIN;
  volatile uint32_t v = UINT32_MAX;
  SAY("to integer %d %d %lld %lld", (int)x, (int)y, (long long)l, (long long)huge);
  SAY("to unsigned %u %llu", (unsigned)3e9, (unsigned long long)1.8e19);
  SAY("from integer %016llx %016llx %016llx %016llx %016llx", BITS((double)i), BITS((double)j), BITS((double)u), BITS((double)k),
      BITS((double)v));
  SAY("to float %08x %08x %08x", bitsf((float)i), bitsf((float)u), bitsf((float)k));
  SAY("floor %g ceil %g trunc %g round %g rint %g %g", floor(y), ceil(y), trunc(y), round(y), rint(x), rint(3.5));
  SAY("lrint %ld %ld, lround %ld %ld", lrint(x), lrint(3.5), lround(x), lround(y));
#ifdef __riscv
  /* Out of range: saturated. NaN: the largest. (RISC-V unprivileged manual, table of fcvt) */
  volatile double nan = fromBits(0x7ff8000000000000), inf = HUGE_VAL;
  int32_t w;
  uint32_t wu;
  int64_t d;
  uint64_t du;
  __asm__ volatile("fcvt.w.d %0, %1, rtz" : "=r"(w) : "f"(nan));
  CHECK(w == INT32_MAX);
  __asm__ volatile("fcvt.w.d %0, %1, rtz" : "=r"(w) : "f"(-inf));
  CHECK(w == INT32_MIN);
  __asm__ volatile("fcvt.wu.d %0, %1, rtz" : "=r"(wu) : "f"(-1.0));
  CHECK(wu == 0);
  __asm__ volatile("fcvt.wu.d %0, %1, rtz" : "=r"(d) : "f"(inf));
  CHECK(d == -1); /* a 32-bit result is sign-extended, unsigned or not */
  __asm__ volatile("fcvt.l.d %0, %1, rtz" : "=r"(d) : "f"(1e300));
  CHECK(d == INT64_MAX);
  __asm__ volatile("fcvt.lu.d %0, %1, rtz" : "=r"(du) : "f"(nan));
  CHECK(du == UINT64_MAX);
  /* The canonical NaN, and floats boxed in ones. */
  volatile double zero = 0;
  CHECK(bits(zero / zero) == 0x7ff8000000000000);
  __asm__ volatile("fmv.w.x ft0, %1\n fmv.x.d %0, ft0" : "=r"(du) : "r"(0x3f800000) : "ft0");
  CHECK(du == 0xffffffff3f800000);
  __asm__ volatile("fmv.d.x ft0, %1\n fadd.s ft0, ft0, ft0\n fmv.x.w %0, ft0" : "=r"(d) : "r"(0x3f800000L) : "ft0");
  CHECK((uint32_t)d == 0x7fc00000); /* not boxed: a NaN */
  __asm__ volatile("fclass.d %0, %1" : "=r"(d) : "f"(-zero));
  CHECK(d == 1 << 3);
  __asm__ volatile("fclass.d %0, %1" : "=r"(d) : "f"(inf));
  CHECK(d == 1 << 7);
  __asm__ volatile("fmin.d %0, %1, %2" : "=f"(nan) : "f"(-0.0), "f"(0.0));
  CHECK(bits(nan) == 0x8000000000000000);
#endif
  SAY("out of range");
}

static void rounding(void)
{
  const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
  const char *names[] = {"nearest", "zero", "down", "up"};
  volatile double one = 1, three = 3, x = 2.5, y = -2.5, tiny = 1e-30, b = 1e308;
  volatile float onef = 1, threef = 3;
  volatile int64_t large = (1LL << 53) + 1;
  for (int i = 0; i < 4; i++) {
    CHECK(fesetround(modes[i]) == 0 && fegetround() == modes[i]);
    volatile double third = one / three, minus = -one / three, root = sqrt(three), sum = one + tiny, difference = one - tiny;
    volatile double integer = rint(x), negative = rint(y), from = (double)large, overflow = b * b, product = fma(one, one, tiny);
    volatile long to = lrint(x), toNegative = lrint(y);
    volatile float thirdf = onef / threef, narrow = (float)third;
    CHECK(fesetround(FE_TONEAREST) == 0);
    SAY("%-7s %016llx %016llx %016llx", names[i], BITS(third), BITS(minus), BITS(root));
    SAY("        %016llx %016llx %016llx %016llx", BITS(sum), BITS(difference), BITS(overflow), BITS(product));
    SAY("        %g %g %ld %ld %016llx %08x %08x", integer, negative, to, toNegative, BITS(from), bitsf(thirdf), bitsf(narrow));
  }
}

static void raised(const char *what)
{
  int flags = fetestexcept(FE_ALL_EXCEPT);
  SAY("%-20s%s%s%s%s%s", what, flags & FE_INVALID ? " invalid" : "", flags & FE_DIVBYZERO ? " division-by-zero" : "",
      flags & FE_OVERFLOW ? " overflow" : "", flags & FE_UNDERFLOW ? " underflow" : "", flags & FE_INEXACT ? " inexact" : "");
  CHECK(feclearexcept(FE_ALL_EXCEPT) == 0);
}

static void exceptions(void)
{
  volatile double zero = 0, one = 1, three = 3, big = 1e308, small = 1e-308, result;
  volatile float narrow;
  volatile int integer;
  feclearexcept(FE_ALL_EXCEPT);
  result = one + three;
  raised("1 + 3");
  result = one / three;
  raised("1 / 3");
  result = one / zero;
  raised("1 / 0");
  result = zero / zero;
  raised("0 / 0");
  result = sqrt(-one);
  raised("sqrt(-1)");
  result = big * big;
  raised("1e308 * 1e308");
  result = small * small;
  raised("1e-308 * 1e-308");
  result = small / 8;
  raised("1e-308 / 8");
  narrow = (float)big;
  raised("(float)1e308");
  integer = (int)2.5 * (int)three;
  result = 2.5;
  integer = (int)result;
  raised("(int)2.5");
  result = fma(big, big, -HUGE_VAL);
  raised("fma(big, big, -inf)");
  result = fma(HUGE_VAL, zero, one);
  raised("fma(inf, 0, 1)");
  integer = one < zero;
  result = zero / zero;
  feclearexcept(FE_ALL_EXCEPT);
  integer = result == one;
  raised("NaN == 1");
  integer = result < one;
  raised("NaN < 1");
  (void)narrow;
  (void)integer;
}

static void functions(void)
{
  volatile double x = 0.7;
  SAY("sin %.12g cos %.12g tan %.12g atan2 %.12g", sin(x), cos(x), tan(x), atan2(x, -x));
  SAY("exp %.12g log %.12g pow %.12g cbrt %.12g", exp(x), log(x), pow(x, 3.3), cbrt(x));
  SAY("fmod %.12g hypot %.12g ldexp %.12g", fmod(7.3, x), hypot(x, 1), ldexp(x, 10));
}

int main(void)
{
  printing();
  arithmetic();
  conversions();
  rounding();
  exceptions();
  functions();
  return 0;
}
