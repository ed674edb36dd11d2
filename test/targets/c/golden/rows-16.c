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
    if (j11 + 16 <= n1) {
      vf acc12 = splat_vf(-__builtin_inff());
      vf acc13 = splat_vf(-__builtin_inff());
      vf acc14 = splat_vf(-__builtin_inff());
      for (; j11 + 16 <= n1; j11 += 16) {
        const vf t15 = *(const v_f32_m *)(q8 + j11 * 4);
        acc10 = max_vf(acc10, t15);
        const vf t16 = *(const v_f32_m *)(q8 + (j11 + 4) * 4);
        acc12 = max_vf(acc12, t16);
        const vf t17 = *(const v_f32_m *)(q8 + (j11 + 8) * 4);
        acc13 = max_vf(acc13, t17);
        const vf t18 = *(const v_f32_m *)(q8 + (j11 + 12) * 4);
        acc14 = max_vf(acc14, t18);
      }
      acc10 = max_vf(acc10, acc12);
      acc13 = max_vf(acc13, acc14);
      acc10 = max_vf(acc10, acc13);
    }
    for (; j11 + 4 <= n1; j11 += 4) {
      const vf t19 = *(const v_f32_m *)(q8 + j11 * 4);
      acc10 = max_vf(acc10, t19);
    }
    if (j11 < n1) {
      const i64 live20 = n1 - j11;
      const vf t21 = (vf)load_part_vf(q8 + j11 * 4, (int)live20);
      const vi t22 = (vi){0, 1, 2, 3};
      const vi t23 = splat_vi((int)live20);
      const vi m24 = (vi)(t22 < t23);
      const vf alive25 = (vf)((m24 & (vi)t21) | (~m24 & (vi)splat_vf(-__builtin_inff())));
      acc10 = max_vf(acc10, alive25);
    }
    const vf t26 = rotate2_vf(acc10);
    acc10 = max_vf(acc10, t26);
    const vf t27 = rotate1_vf(acc10);
    acc10 = max_vf(acc10, t27);
    vf acc28 = nothing6;
    i64 j29 = 0;
    if (j29 + 16 <= n1) {
      vf acc30 = nothing6;
      vf acc31 = nothing6;
      vf acc32 = nothing6;
      for (; j29 + 16 <= n1; j29 += 16) {
        const vf t33 = *(const v_f32_m *)(q8 + j29 * 4);
        const vf t34 = (t33 / acc10);
        acc28 = (acc28 + t34);
        const vf t35 = *(const v_f32_m *)(q8 + (j29 + 4) * 4);
        const vf t36 = (t35 / acc10);
        acc30 = (acc30 + t36);
        const vf t37 = *(const v_f32_m *)(q8 + (j29 + 8) * 4);
        const vf t38 = (t37 / acc10);
        acc31 = (acc31 + t38);
        const vf t39 = *(const v_f32_m *)(q8 + (j29 + 12) * 4);
        const vf t40 = (t39 / acc10);
        acc32 = (acc32 + t40);
      }
      acc28 = (acc28 + acc30);
      acc31 = (acc31 + acc32);
      acc28 = (acc28 + acc31);
    }
    for (; j29 + 4 <= n1; j29 += 4) {
      const vf t41 = *(const v_f32_m *)(q8 + j29 * 4);
      const vf t42 = (t41 / acc10);
      acc28 = (acc28 + t42);
    }
    if (j29 < n1) {
      const i64 live43 = n1 - j29;
      const vf t44 = (vf)load_part_vf(q8 + j29 * 4, (int)live43);
      const vf t45 = (t44 / acc10);
      const vi t46 = (vi){0, 1, 2, 3};
      const vi t47 = splat_vi((int)live43);
      const vi m48 = (vi)(t46 < t47);
      const vf alive49 = (vf)((m48 & (vi)t45) | (~m48 & (vi)nothing6));
      acc28 = (acc28 + alive49);
    }
    const vf t50 = rotate2_vf(acc28);
    acc28 = (acc28 + t50);
    const vf t51 = rotate1_vf(acc28);
    acc28 = (acc28 + t51);
    i64 j52 = 0;
    for (; j52 + 8 <= n1; j52 += 8) {
      const vf t53 = *(const v_f32_m *)(q8 + j52 * 4);
      const vf t54 = (t53 / acc10);
      const vf t55 = (t54 / acc28);
      *(v_f32_m *)(q9 + j52 * 4) = t55;
      const vf t56 = *(const v_f32_m *)(q8 + (j52 + 4) * 4);
      const vf t57 = (t56 / acc10);
      const vf t58 = (t57 / acc28);
      *(v_f32_m *)(q9 + (j52 + 4) * 4) = t58;
    }
    for (; j52 + 4 <= n1; j52 += 4) {
      const vf t59 = *(const v_f32_m *)(q8 + j52 * 4);
      const vf t60 = (t59 / acc10);
      const vf t61 = (t60 / acc28);
      *(v_f32_m *)(q9 + j52 * 4) = t61;
    }
    if (j52 < n1) {
      const i64 live62 = n1 - j52;
      const vf t63 = (vf)load_part_vf(q8 + j52 * 4, (int)live62);
      const vf t64 = (t63 / acc10);
      const vf t65 = (t64 / acc28);
      store_part_vf(q9 + j52 * 4, (vf)t65, (int)live62);
    }
  }
}
