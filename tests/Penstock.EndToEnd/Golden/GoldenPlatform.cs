using Penstock.EndToEnd.Running;

namespace Penstock.EndToEnd.Golden;

/// <summary>The server in front of vendors that replay, shared by the tests of a class.</summary>
public sealed class GoldenPlatform : IAsyncLifetime
{
    /// <summary>Pings depend on the clock, and the tests of pings are elsewhere.</summary>
    private const string Config = """
        {
          "gateway": { "firstPingSeconds": 3600, "pingSeconds": 3600 },
          "limits": { "requestsPerSecond": 100000, "burst": 100000 },
          "models": {
            "short-openai": { "target": "openai/gpt-4o-mini", "maxOutputTokens": 100 },
            "short-anthropic": { "target": "anthropic/claude-haiku-4-5", "maxOutputTokens": 100 }
          }
        }
        """;

    private readonly DateTimeOffset _from = TimeProvider.System.GetUtcNow();

    internal ReplayUpstream Upstream { get; private set; } = null!;

    internal ServerProcess Server { get; private set; } = null!;

    /// <summary>Sends the operator's key only where a request holds it.</summary>
    internal Api Client { get; private set; } = null!;

    /// <summary>With the operator's key.</summary>
    internal Api Admin { get; private set; } = null!;

    internal string Key => Server.Options.AdminKey;

    public async ValueTask InitializeAsync()
    {
        Upstream = await ReplayUpstream.StartAsync();
        Server = await ServerProcess.StartAsync(new ServerOptions
        {
            Config = Config,
            Environment = new Dictionary<string, string?>
            {
                ["OPENAI_API_KEY"] = "sk-openai-of-the-operator",
                ["OPENAI_BASE_URL"] = Upstream.Url + "/v1",
                ["ANTHROPIC_API_KEY"] = "sk-ant-of-the-operator",
                ["ANTHROPIC_BASE_URL"] = Upstream.Url,
            },
        });
        var contract = await ApiContract.OfAsync(Server.Address);
        Client = new Api(Server.Address, contract);
        Admin = Client.With(Key);
    }

    internal async Task<HttpText> AskAsync(HttpText request)
    {
        var line = request.Start.Split(' ');
        using var message = new HttpRequestMessage(new HttpMethod(line[0]), line[1]) { Content = new ByteArrayContent(request.Bytes) };
        foreach (var (name, value) in request.Headers)
        {
            if (!message.Headers.TryAddWithoutValidation(name, value)) message.Content.Headers.TryAddWithoutValidation(name, value);
        }

        using var answer = await Client.SendAsync(message);
        var headers = answer.Headers.Concat(answer.Content.Headers).Select(header => KeyValuePair.Create(header.Key, string.Join(", ", header.Value)));
        return HttpText.Of(((int)answer.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture), headers, await answer.Content.ReadAsByteArrayAsync(Wait.Token));
    }

    /// <summary>Rows that the request was booked with.</summary>
    internal async Task<IReadOnlyList<Entry>> BookedAsync(string request) => [.. (await Entry.AllAsync(Admin, _from)).Where(row => row.Request == request)];

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        Admin?.Dispose();
        if (Server is not null)
        {
            try
            {
                await Server.CloseAsync();
                Assert.DoesNotContain(Server.Log, line => line.Level is "Error" or "Critical");
            }
            finally
            {
                await Server.DisposeAsync();
            }
        }

        if (Upstream is not null) await Upstream.DisposeAsync();
    }
}
