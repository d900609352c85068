using System.Globalization;
using System.Runtime.InteropServices;
using Penstock.Upstream;

if (!TryRead(args, out var options, out var problem))
{
    Console.Error.WriteLine(problem);
    Console.Error.WriteLine("usage: Penstock.Upstream [--port N] [--openai-key K] [--anthropic-key K] [--model NAME]... [--fast]");
    return 2;
}

await using var upstream = await UpstreamServer.StartAsync(options);
var stopped = new TaskCompletionSource();
using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
Console.WriteLine($"listening on {upstream.BaseUrl}");
await stopped.Task;
return 0;

void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    stopped.TrySetResult();
}

static bool TryRead(string[] args, out UpstreamOptions options, out string problem)
{
    options = new UpstreamOptions();
    problem = "";
    for (var i = 0; i < args.Length; i++)
    {
        if (args[i] == "--fast")
        {
            options = options with { Fast = true };
            continue;
        }

        var value = i + 1 < args.Length ? args[i + 1] : null;
        if (value is null)
        {
            problem = $"{args[i]} needs a value";
            return false;
        }

        i++;
        switch (args[i - 1])
        {
            case "--port" when int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port): options = options with { Port = port }; break;
            case "--openai-key": options = options with { OpenAiKeys = [value] }; break;
            case "--anthropic-key": options = options with { AnthropicKeys = [value] }; break;
            case "--model": options = options with { ExtraModels = [.. options.ExtraModels, value] }; break;
            default:
                problem = $"unknown argument {args[i - 1]} {value}";
                return false;
        }
    }

    return true;
}
