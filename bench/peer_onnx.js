// Inference by ONNX Runtime (npm install --ignore-scripts onnxruntime-node).
// node peer_onnx.js FILE.onnx BATCH STEPS THREADS [--cpu-time]    prints: median_ms best_ms   (an image)
const ort = require("onnxruntime-node");

// Milliseconds: on the clock, or of this process's threads.
const cpu = () => { const u = process.cpuUsage(); return (u.user + u.system) / 1e3; };
const clock = process.argv.includes("--cpu-time") ? cpu : () => performance.now();

async function main() {
    const [file, batch, steps, threads] = [process.argv[2], ...process.argv.slice(3, 6).map(Number)];
    const session = await ort.InferenceSession.create(file, { intraOpNumThreads: threads, interOpNumThreads: 1 });
    const x = new ort.Tensor("float32", Float32Array.from({ length: batch * 3 * 224 * 224 }, (_, i) => (i % 255) / 255 - 0.5),
        [batch, 3, 224, 224]);
    const took = [];
    for (let i = -2; i < steps; i++) {
        const began = clock();
        await session.run({ [session.inputNames[0]]: x });
        if (i >= 0)
            took.push((clock() - began) / batch);
    }
    took.sort((a, b) => a - b);
    const n = took.length;
    console.log(`${((took[(n - 1) >> 1] + took[n >> 1]) / 2).toFixed(3)} ${took[0].toFixed(3)}`);
}

main();
