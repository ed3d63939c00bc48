/** Sizes of groups whose mean is known. */

/** Points of the distribution of group sizes. */
const QUANTILES = 32;

/**
 * Sizes of groups of `mean` rows that each have at least one: quantiles of a Poisson distribution without zero, or a
 * part of them (`evenness`) as near to the mean as whole numbers are.
 */
export function scatteredSizes(mean: number, evenness: number): number[] {
  if (mean <= 1.0001) return [1];
  const random = mean > LARGE_GROUP ? normalSizes(mean) : smallSizes(mean);
  const sizes = random.map((size, at) => {
    // Spread over the quantiles, so that what is left of the random ones is still all of their kinds.
    const isEven = ((at * 5) % QUANTILES) + 0.5 < evenness * QUANTILES;
    return isEven ? Math.floor(mean + (((at * 11) % QUANTILES) + 0.5) / QUANTILES) : size;
  });
  // Neighbours in the index are not neighbours in size.
  return sizes.map((_, index) => sizes[(index * 13) % QUANTILES] ?? mean);
}

/** From here on a Poisson distribution is as good as a normal one. */
const LARGE_GROUP = 60;

/** Quantiles of a normal distribution of this mean and variance: by Tukey's lambda, right to a hundredth of a deviation. */
function normalSizes(mean: number): number[] {
  return Array.from({ length: QUANTILES }, (_, at) => {
    const p = (at + 0.5) / QUANTILES;
    return Math.max(1, Math.round(mean + (Math.sqrt(mean) * (p ** 0.135 - (1 - p) ** 0.135)) / 0.1975));
  });
}

/** By the logarithm of the mean in steps: thousands of classes of a few means are asked for. */
const knownSizes = new Map<number, readonly number[]>();
/** Steps of 0.2 %. */
const STEPS_PER_E = 500;

function smallSizes(mean: number): readonly number[] {
  const step = Math.round(Math.log(mean) * STEPS_PER_E);
  const sizes = knownSizes.get(step) ?? poissonSizes(Math.exp(step / STEPS_PER_E));
  knownSizes.set(step, sizes);
  return sizes;
}

function poissonSizes(mean: number): number[] {
  let low = 1e-6;
  let high = mean;
  for (let step = 0; step < 50; step += 1) {
    const lambda = (low + high) / 2;
    if (lambda / (1 - Math.exp(-lambda)) < mean) low = lambda;
    else high = lambda;
  }
  const sizes: number[] = [];
  let size = 1;
  let probability = (low * Math.exp(-low)) / (1 - Math.exp(-low));
  let cumulated = probability;
  for (let quantile = 0; quantile < QUANTILES; quantile += 1) {
    while (cumulated < (quantile + 0.5) / QUANTILES && size < 1000) {
      size += 1;
      probability *= low / size;
      cumulated += probability;
    }
    sizes.push(size);
  }
  return sizes;
}
