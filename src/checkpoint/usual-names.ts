/** What the names of indices of safetensors files end with. */
export const indexEnd = ".safetensors.index.json";

/** What transformers, diffusers and PEFT call the one file of a folder, or of its index, in the order they look. */
export const usualNames = ["model", "diffusion_pytorch_model", "adapter_model"].flatMap((name) => [
  `${name}.safetensors`,
  `${name}${indexEnd}`,
]);
