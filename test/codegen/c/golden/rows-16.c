void run(const i64 *args, i64 begin, i64 end, char *scratch) {
  const i64 n0 = args[0];
  const i64 n1 = args[1];
  char *const p2 = (char *)args[2];
  const i64 s3 = args[3];
  char *const p4 = (char *)args[5];
  const i64 s5 = args[6];
  const vf nothing6 = splat_vf(n1 == 0 ? 0.0f : -0.0f);
  for (i64 j7 = begin; j7 < end; j7++) {
    char *const p8 = p2 + j7 * s3;
    char *const p9 = p4 + j7 * s5;
    vf acc10 = splat_vf(-__builtin_inff());
    i64 j11 = 0;
    if (j11 + 16 <= n1) {
      vf acc12 = splat_vf(-__builtin_inff());
      vf acc13 = splat_vf(-__builtin_inff());
      vf acc14 = splat_vf(-__builtin_inff());
      for (; j11 + 16 <= n1; j11 += 16) {
        const vf t15 = *(const v_f32_m *)(p8 + j11 * 4);
        acc10 = max_vf(acc10, t15);
        const vf t16 = *(const v_f32_m *)(p8 + (j11 + 4) * 4);
        acc12 = max_vf(acc12, t16);
        const vf t17 = *(const v_f32_m *)(p8 + (j11 + 8) * 4);
        acc13 = max_vf(acc13, t17);
        const vf t18 = *(const v_f32_m *)(p8 + (j11 + 12) * 4);
        acc14 = max_vf(acc14, t18);
      }
      acc10 = max_vf(acc10, acc12);
      acc13 = max_vf(acc13, acc14);
      acc10 = max_vf(acc10, acc13);
    }
    for (; j11 + 4 <= n1; j11 += 4) {
      const vf t19 = *(const v_f32_m *)(p8 + j11 * 4);
      acc10 = max_vf(acc10, t19);
    }
    if (j11 < n1) {
      const int live20 = (int)(n1 - j11);
      const vf t21 = (vf)load_part_vf(p8 + j11 * 4, live20);
      const vi mask22 = (vi){0, 1, 2, 3} < live20;
      const vf t23 = (vf)((mask22 & (vi)t21) | (~mask22 & (vi)splat_vf(-__builtin_inff())));
      acc10 = max_vf(acc10, t23);
    }
    const vf t24 = rotate2_vf(acc10);
    acc10 = max_vf(acc10, t24);
    const vf t25 = rotate1_vf(acc10);
    acc10 = max_vf(acc10, t25);
    vf acc26 = nothing6;
    i64 j27 = 0;
    if (j27 + 16 <= n1) {
      vf acc28 = nothing6;
      vf acc29 = nothing6;
      vf acc30 = nothing6;
      for (; j27 + 16 <= n1; j27 += 16) {
        const vf t31 = *(const v_f32_m *)(p8 + j27 * 4);
        const vf t32 = t31 / acc10;
        acc26 = acc26 + t32;
        const vf t33 = *(const v_f32_m *)(p8 + (j27 + 4) * 4);
        const vf t34 = t33 / acc10;
        acc28 = acc28 + t34;
        const vf t35 = *(const v_f32_m *)(p8 + (j27 + 8) * 4);
        const vf t36 = t35 / acc10;
        acc29 = acc29 + t36;
        const vf t37 = *(const v_f32_m *)(p8 + (j27 + 12) * 4);
        const vf t38 = t37 / acc10;
        acc30 = acc30 + t38;
      }
      acc26 = acc26 + acc28;
      acc29 = acc29 + acc30;
      acc26 = acc26 + acc29;
    }
    for (; j27 + 4 <= n1; j27 += 4) {
      const vf t39 = *(const v_f32_m *)(p8 + j27 * 4);
      const vf t40 = t39 / acc10;
      acc26 = acc26 + t40;
    }
    if (j27 < n1) {
      const int live41 = (int)(n1 - j27);
      const vf t42 = (vf)load_part_vf(p8 + j27 * 4, live41);
      const vf t43 = t42 / acc10;
      const vi mask44 = (vi){0, 1, 2, 3} < live41;
      const vf t45 = (vf)((mask44 & (vi)t43) | (~mask44 & (vi)nothing6));
      acc26 = acc26 + t45;
    }
    const vf t46 = rotate2_vf(acc26);
    acc26 = acc26 + t46;
    const vf t47 = rotate1_vf(acc26);
    acc26 = acc26 + t47;
    i64 j48 = 0;
    for (; j48 + 8 <= n1; j48 += 8) {
      const vf t49 = *(const v_f32_m *)(p8 + j48 * 4);
      const vf t50 = t49 / acc10;
      const vf t51 = t50 / acc26;
      *(v_f32_m *)(p9 + j48 * 4) = t51;
      const vf t52 = *(const v_f32_m *)(p8 + (j48 + 4) * 4);
      const vf t53 = t52 / acc10;
      const vf t54 = t53 / acc26;
      *(v_f32_m *)(p9 + (j48 + 4) * 4) = t54;
    }
    for (; j48 + 4 <= n1; j48 += 4) {
      const vf t55 = *(const v_f32_m *)(p8 + j48 * 4);
      const vf t56 = t55 / acc10;
      const vf t57 = t56 / acc26;
      *(v_f32_m *)(p9 + j48 * 4) = t57;
    }
    if (j48 < n1) {
      const int live58 = (int)(n1 - j48);
      const vf t59 = (vf)load_part_vf(p8 + j48 * 4, live58);
      const vf t60 = t59 / acc10;
      const vf t61 = t60 / acc26;
      store_part_vf(p9 + j48 * 4, (vf)t61, live58);
    }
  }
}
