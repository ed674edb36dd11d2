void run(const i64 *args, i64 begin, i64 end, char *scratch) {
  const i64 n0 = args[0];
  const i64 n1 = args[1];
  char *const p2 = (char *)args[2];
  const i64 s3 = args[3];
  char *const p4 = (char *)args[5];
  const i64 s5 = args[6];
  char *const p6 = (char *)args[8];
  const i64 s7 = args[9];
  for (i64 j8 = begin; j8 < end; j8++) {
    char *const p9 = p2 + j8 * s3;
    char *const p10 = p4 + j8 * s5;
    char *const p11 = p6 + j8 * s7;
    i64 j12 = 0;
    if (j12 + 4 == n1) {
      const vf t13 = *(const v_f32_m *)(p9 + j12 * 4);
      const vf t14 = *(const v_f32_m *)(p10 + j12 * 4);
      const vf t15 = t13 * t14;
      *(v_f32_m *)(p11 + j12 * 4) = t15;
    }
    else if (j12 < n1) {
      const int live16 = (int)(n1 - j12);
      const vf t17 = (vf)load_part_vf(p9 + j12 * 4, live16);
      const vf t18 = (vf)load_part_vf(p10 + j12 * 4, live16);
      const vf t19 = t17 * t18;
      store_part_vf(p11 + j12 * 4, (vf)t19, live16);
    }
  }
}
