using System.Globalization;
using Penstock.Bench.Gateway;

// Penstock beside nginx and another gateway, before the same stand-in, under the same load, in turns. Started by bench/run.sh.
if (args is ["paced", var port])
{
    await Paced.RunAsync(int.Parse(port, CultureInfo.InvariantCulture));
    return 0;
}

var options = Options.Parse(args);
await using var field = await Field.StartAsync(options);
var run = new Run(options, field);
return await run.WholeAsync() ? 0 : 1;
