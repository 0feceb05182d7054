/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors: the specification's own that have the usual number of rounds, and crypt(3)'s of libxcrypt 4.4. */
#include <string.h>

#include "vmm/seed/sha512-crypt.h"

static void test_vectors(void) {
  static const struct {
    const char *password, *salt, *wanted;
  } cases[] = {
      {"Hello world!", "saltstring",
       "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
      {"", "a", "$6$a$Z6IPkDduHdwavesVY2NFMpOHkigshxPYdhfLg0D3A7/XFQcso9RV2E8qczyJ2su.dj6RRLaTpvgwN1rZfK0I9."},
      {"x", "0123456789abcdefghij",
       "$6$0123456789abcdef$8YztVyzwDEH96nI5J4SMvvvaVH43cm6MjQyfl3gZsAa8rZMsHQVTiLQraFpug5a6xlaOJbzt.7jq8UBJs4F7M1"},
      {"geheim", "./", "$6$./$bu2rvobJO/L9y/uFK/4TRmP/hWVbtZBDCFpr8nr8jTIe8iCxIK5ViowwlwXAD4w5mcIaM9EZi.gfr6VePFg96/"},
      {"\xc3\xa4\xe2\x82\xac", "", "$6$$u80hREzHjtMTnyqKylWnhRtgRmTWmHw0xfPihcC4m/JBWxFR9Ek0Rk3l08wFkkefy024OcEEATuMXeA1hMDJm."},
      {"ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp", "s",
       "$6$s$GcTotczD1XBiV5.n8oCosKI0KUMOLAYG6yVHolYf2XzNTnbQQQJ9v2Gdn.gD9WLFS/zVg1eG8Uhfeaf3kNw60."},
      {"qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", "s",
       "$6$s$vUk2JI5af/oIC1.cRICoGAftJ.DeuaL3f1VkqWnk14FtYsbTmVok4j3ipPucC2Kb97sILHDJ0C3kA6mv25DBU/"},
      {"rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr", "s",
       "$6$s$zmKF6/LBSOlJlZwx7jCKBFNgv6mfNkR3p443rCdiVo8Qr/yd33GdH12MPX04ED7k40qVzbWiwY.eAPua4lAsL0"},
      {"a long password of more than one block of the digest, which is 64 bytes, and more than two of them in all, so that all is turned "
       "around",
       "salt", "$6$salt$QqTnV6z2ZXRs1qs7qiEQ0.Up99/hqIWCZMPgIVvJTUn/zd8.3KRRB90CS/bXS0gQE2VO014iVDjXpRhN0UHxX/"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *hash = sha512_crypt(cases[i].password, cases[i].salt);
    g_assert_cmpstr(hash, ==, cases[i].wanted);
  }
}

static void test_salt(void) {
  g_autofree char *salt = sha512_crypt_salt("debian"), *again = sha512_crypt_salt("debian"), *other = sha512_crypt_salt("debiam");

  g_assert_cmpstr(salt, ==, again);
  g_assert_cmpstr(salt, !=, other);
  g_assert_cmpuint(strlen(salt), ==, SHA512_CRYPT_SALT_MAX);
  g_assert_cmpuint(strspn(salt, "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), ==, SHA512_CRYPT_SALT_MAX);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sha512-crypt/vectors", test_vectors);
  g_test_add_func("/sha512-crypt/salt", test_salt);
  return g_test_run();
}
