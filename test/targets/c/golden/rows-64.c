void run(const i64 *args, i64 begin, i64 end, char *scratch) {
  (void)scratch;
  const i64 n0 = args[0];
  const i64 n1 = args[1];
  const i64 s2 = args[3];
  const i64 s3 = args[6];
  char *const p4 = (char *)args[2];
  char *const p5 = (char *)args[5];
  const vf nothing6 = splat_vf(((n1 == 0) ? 0.0f : -0.0f));
  i64 j7 = begin;
  char *q8 = p4 + j7 * s2;
  char *q9 = p5 + j7 * s3;
  for (; j7 < end; j7 += 1, q8 += s2, q9 += s3) {
    vf acc10 = splat_vf(-__builtin_inff());
    i64 j11 = 0;
    if (j11 + 64 <= n1) {
      vf acc12 = splat_vf(-__builtin_inff());
      vf acc13 = splat_vf(-__builtin_inff());
      vf acc14 = splat_vf(-__builtin_inff());
      for (; j11 + 64 <= n1; j11 += 64) {
        const vf t15 = *(const v_f32_m *)(q8 + j11 * 4);
        acc10 = max_vf(acc10, t15);
        const vf t16 = *(const v_f32_m *)(q8 + (j11 + 16) * 4);
        acc12 = max_vf(acc12, t16);
        const vf t17 = *(const v_f32_m *)(q8 + (j11 + 32) * 4);
        acc13 = max_vf(acc13, t17);
        const vf t18 = *(const v_f32_m *)(q8 + (j11 + 48) * 4);
        acc14 = max_vf(acc14, t18);
      }
      acc10 = max_vf(acc10, acc12);
      acc13 = max_vf(acc13, acc14);
      acc10 = max_vf(acc10, acc13);
    }
    for (; j11 + 16 <= n1; j11 += 16) {
      const vf t19 = *(const v_f32_m *)(q8 + j11 * 4);
      acc10 = max_vf(acc10, t19);
    }
    if (j11 < n1) {
      const i64 live20 = n1 - j11;
      const vf t21 = (vf)load_part_vf(q8 + j11 * 4, (int)live20);
      const vi t22 = (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
      const vi t23 = splat_vi((int)live20);
      const vi m24 = (vi)(t22 < t23);
      const vf alive25 = (vf)((m24 & (vi)t21) | (~m24 & (vi)splat_vf(-__builtin_inff())));
      acc10 = max_vf(acc10, alive25);
    }
    const vf t26 = rotate8_vf(acc10);
    acc10 = max_vf(acc10, t26);
    const vf t27 = rotate4_vf(acc10);
    acc10 = max_vf(acc10, t27);
    const vf t28 = rotate2_vf(acc10);
    acc10 = max_vf(acc10, t28);
    const vf t29 = rotate1_vf(acc10);
    acc10 = max_vf(acc10, t29);
    vf acc30 = nothing6;
    i64 j31 = 0;
    if (j31 + 64 <= n1) {
      vf acc32 = nothing6;
      vf acc33 = nothing6;
      vf acc34 = nothing6;
      for (; j31 + 64 <= n1; j31 += 64) {
        const vf t35 = *(const v_f32_m *)(q8 + j31 * 4);
        const vf t36 = (t35 / acc10);
        acc30 = (acc30 + t36);
        const vf t37 = *(const v_f32_m *)(q8 + (j31 + 16) * 4);
        const vf t38 = (t37 / acc10);
        acc32 = (acc32 + t38);
        const vf t39 = *(const v_f32_m *)(q8 + (j31 + 32) * 4);
        const vf t40 = (t39 / acc10);
        acc33 = (acc33 + t40);
        const vf t41 = *(const v_f32_m *)(q8 + (j31 + 48) * 4);
        const vf t42 = (t41 / acc10);
        acc34 = (acc34 + t42);
      }
      acc30 = (acc30 + acc32);
      acc33 = (acc33 + acc34);
      acc30 = (acc30 + acc33);
    }
    for (; j31 + 16 <= n1; j31 += 16) {
      const vf t43 = *(const v_f32_m *)(q8 + j31 * 4);
      const vf t44 = (t43 / acc10);
      acc30 = (acc30 + t44);
    }
    if (j31 < n1) {
      const i64 live45 = n1 - j31;
      const vf t46 = (vf)load_part_vf(q8 + j31 * 4, (int)live45);
      const vf t47 = (t46 / acc10);
      const vi t48 = (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
      const vi t49 = splat_vi((int)live45);
      const vi m50 = (vi)(t48 < t49);
      const vf alive51 = (vf)((m50 & (vi)t47) | (~m50 & (vi)nothing6));
      acc30 = (acc30 + alive51);
    }
    const vf t52 = rotate8_vf(acc30);
    acc30 = (acc30 + t52);
    const vf t53 = rotate4_vf(acc30);
    acc30 = (acc30 + t53);
    const vf t54 = rotate2_vf(acc30);
    acc30 = (acc30 + t54);
    const vf t55 = rotate1_vf(acc30);
    acc30 = (acc30 + t55);
    i64 j56 = 0;
    for (; j56 + 32 <= n1; j56 += 32) {
      const vf t57 = *(const v_f32_m *)(q8 + j56 * 4);
      const vf t58 = (t57 / acc10);
      const vf t59 = (t58 / acc30);
      *(v_f32_m *)(q9 + j56 * 4) = t59;
      const vf t60 = *(const v_f32_m *)(q8 + (j56 + 16) * 4);
      const vf t61 = (t60 / acc10);
      const vf t62 = (t61 / acc30);
      *(v_f32_m *)(q9 + (j56 + 16) * 4) = t62;
    }
    for (; j56 + 16 <= n1; j56 += 16) {
      const vf t63 = *(const v_f32_m *)(q8 + j56 * 4);
      const vf t64 = (t63 / acc10);
      const vf t65 = (t64 / acc30);
      *(v_f32_m *)(q9 + j56 * 4) = t65;
    }
    if (j56 < n1) {
      const i64 live66 = n1 - j56;
      const vf t67 = (vf)load_part_vf(q8 + j56 * 4, (int)live66);
      const vf t68 = (t67 / acc10);
      const vf t69 = (t68 / acc30);
      store_part_vf(q9 + j56 * 4, (vf)t69, (int)live66);
    }
  }
}
