using System.Net;
using Penstock.EndToEnd.Running;
using Penstock.Upstream;

namespace Penstock.EndToEnd;

/// <summary>How a server ends: in order, at once, and not at all where another has its folder.</summary>
public sealed class LifeTests
{
    private static readonly string[] Streams = ["/v1/chat/completions", "/v1/messages", "/v1/stream"];

    [Fact]
    public async Task Sigterm_lets_streams_finish_and_takes_nothing_new()
    {
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        await using var server = await ServerProcess.StartAsync(new ServerOptions { Environment = ServerOptions.Reaching(upstream) });
        var contract = await ApiContract.OfAsync(server.Address);
        using var api = new Api(server.Address, contract, server.Options.AdminKey);
        var streams = await OpenAsync(api, "[[slow:tokens=40:ms=50]] go");
        server.Terminate();
        await RefusedAsync(api);
        foreach (var (route, answer) in streams)
        {
            using (answer) Assert.Contains(End(route), await answer.Content.ReadAsStringAsync(Wait.Token), StringComparison.Ordinal);
        }

        Assert.Equal(0, await server.EndAsync(TimeSpan.FromSeconds(15)));
    }

    [Fact]
    public async Task Sigterm_cuts_what_outlasts_the_drain_with_an_error_of_its_dialect_and_books_it()
    {
        using var folder = new TempFolder();
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        var options = new ServerOptions { Folder = folder.Path, Environment = new Dictionary<string, string?>(ServerOptions.Reaching(upstream)) { ["PENSTOCK_DRAIN_SECONDS"] = "1" } };
        await using (var server = await ServerProcess.StartAsync(options))
        {
            using var api = new Api(server.Address, await ApiContract.OfAsync(server.Address), options.AdminKey);
            var streams = await OpenAsync(api, "[[slow:tokens=3000:ms=20]] go");
            var whole = api.PostAsync("/v1/messages", Samples.Chat("/v1/messages", "[[silent:60000]] go"));
            await upstream.Seen.WaitForAsync(call => call.Path == "/v1/chat/completions" && !call.Streamed && call.Model is not null, TimeSpan.FromSeconds(5), Wait.Token);
            server.Terminate();
            foreach (var (route, answer) in streams)
            {
                using (answer) IsCut(route, await answer.Content.ReadAsStringAsync(Wait.Token));
            }

            using (var answer = await whole) Assert.Equal((HttpStatusCode)529, answer.StatusCode);
            Assert.Equal(0, await server.EndAsync(TimeSpan.FromSeconds(10)));
            Assert.DoesNotContain(server.Log, line => line.Level is "Error" or "Critical");
        }

        await using var again = await ServerProcess.StartAsync(options);
        using var reader = new Api(again.Address, await ApiContract.OfAsync(again.Address), options.AdminKey);
        var rows = await Entry.AllAsync(reader);
        Assert.Equal(Streams.Length + 1, rows.Count);
        Assert.All(rows, row => Assert.Equal(("drained", "shutting_down", true), (row.Outcome, row.Error, row.Estimated)));
        Assert.All(rows.Where(row => row.Streamed), row => Assert.True(row.Output > 0, $"{row} wrote text and booked none"));
    }

    [Fact]
    public async Task What_was_answered_before_a_kill_is_there_after_it()
    {
        using var folder = new TempFolder();
        await using var upstream = await UpstreamServer.StartAsync(ct: Wait.Token);
        var options = new ServerOptions { Folder = folder.Path, Environment = ServerOptions.Reaching(upstream), Config = """{"limits":{"requestsPerSecond":100000,"burst":100000}}""" };
        var answered = new System.Collections.Concurrent.ConcurrentBag<string>();
        (string Id, string Text) key;
        await using (var server = await ServerProcess.StartAsync(options))
        {
            using var api = new Api(server.Address, await ApiContract.OfAsync(server.Address), options.AdminKey);
            key = await api.NewKeyAsync("ai:complete");
            var clients = Enumerable.Range(0, 16).Select(_ => CallUntilItDiesAsync(api, answered)).ToArray();
            await Wait.UntilAsync(() => answered.Count >= 200, TimeSpan.FromSeconds(20), "200 answers");
            await server.KillAsync();
            await Task.WhenAll(clients);
        }

        await using var again = await ServerProcess.StartAsync(options);
        using var reader = new Api(again.Address, await ApiContract.OfAsync(again.Address), options.AdminKey);
        var booked = (await Entry.AllAsync(reader)).Select(row => row.Request).ToHashSet();
        Assert.DoesNotContain(answered, request => !booked.Contains(request));
        using var client = reader.With(key.Text);
        await client.JsonAsync(HttpMethod.Post, "/v1/complete", Samples.Body("/v1/complete"));
    }

    [Fact]
    public async Task A_second_server_on_the_same_folder_is_refused()
    {
        await using var first = await ServerProcess.StartAsync(new ServerOptions());
        var (code, errors, _) = await ServerProcess.RunToEndAsync(first.Options with { Folder = first.Folder });
        Assert.Equal(2, code);
        Assert.Contains(first.DataFolder, errors, StringComparison.Ordinal);
        Assert.Contains(first.Id.ToString(System.Globalization.CultureInfo.InvariantCulture), errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
        Assert.True(first.Running);
    }

    private static async Task CallUntilItDiesAsync(Api api, System.Collections.Concurrent.ConcurrentBag<string> answered)
    {
        try
        {
            while (true)
            {
                using var answer = await api.PostAsync("/v1/chat/completions", Samples.Body("/v1/chat/completions"));
                if (answer.IsSuccessStatusCode) answered.Add(answer.Headers.GetValues("x-request-id").Single());
            }
        }
        catch (HttpRequestException)
        {
            // Killed.
        }
    }

    private static async Task<List<(string Route, HttpResponseMessage Answer)>> OpenAsync(Api api, string text)
    {
        var streams = new List<(string, HttpResponseMessage)>();
        foreach (var route in Streams)
        {
            var answer = await api.PostAsync(route, Samples.Chat(route, text, stream: true), HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            streams.Add((route, answer));
        }

        return streams;
    }

    /// <summary>A connection that was open is told so, a new one finds nobody.</summary>
    private static async Task RefusedAsync(Api api)
    {
        await Wait.UntilAsync(async () =>
        {
            try
            {
                using var answer = await api.PostAsync("/v1/complete", Samples.Body("/v1/complete"));
                return answer.StatusCode == HttpStatusCode.ServiceUnavailable;
            }
            catch (HttpRequestException)
            {
                return true;
            }
        }, TimeSpan.FromSeconds(1), () => "new requests are refused");
    }

    private static string End(string route) => route == "/v1/messages" ? "event: message_stop" : "data: [DONE]";

    private static void IsCut(string route, string text)
    {
        Assert.DoesNotContain(End(route), text, StringComparison.Ordinal);
        var last = text.TrimEnd('\n').Split("\n\n")[^1];
        Assert.StartsWith(route == "/v1/messages" ? "event: error\ndata: {\"type\":\"error\"" : "data: {", last, StringComparison.Ordinal);
        Assert.Contains("\"error\"", last, StringComparison.Ordinal);
        Assert.Contains("stopping", last, StringComparison.Ordinal);
    }
}
