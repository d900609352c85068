using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Tests.Alerts;
using Penstock.Tests.Gateway;
using Penstock.Tools.Fetch;
using Xunit;

namespace Penstock.Tests.Tools;

public sealed class HttpFetchTests : IAsyncLifetime
{
    private static readonly IPAddress Public = IPAddress.Parse("93.184.216.34");

    private readonly List<IPEndPoint> _connected = [];
    private Receiver _server = null!;
    private GatewayHost _host = null!;

    /// <summary>What each name is, one answer after the other; the last one stays.</summary>
    private readonly Dictionary<string, Queue<IPAddress[]>> _names = new(StringComparer.Ordinal);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await Receiver.StartAsync(Ct);
        _host = await GatewayHost.StartAsync(
            config: $$$"""{"tools": {"fetch": {"allowHosts": ["allowed.test"], "ports": [80, 443, {{{Port}}}], "maxBytes": 4096} } }""",
            change: services =>
            {
                services.AddSingleton<ResolveHost>(ResolveAsync);
                services.AddSingleton<ConnectAddress>(ConnectAsync);
            });
        Name("public.test", [Public]);
        Name("allowed.test", [IPAddress.Loopback]);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        await _server.DisposeAsync();
    }

    private int Port => _server.Url("/").Port;

    [Fact]
    public async Task A_page_is_read_as_text()
    {
        Html("""
            <!doctype html><html><head><title>Wind &amp; sun</title><style>p { color: red }</style><script>alert("<p>no</p>")</script></head>
            <body><h1>Head</h1><p>One&nbsp;two <b>three</b>.</p><!-- <p>hidden</p> --><ul><li>a<li>b</ul>1 < 2<noscript>off</noscript></body></html>
            """);

        var answer = await FetchAsync(At("public.test"));

        Assert.Equal((200, "Wind & sun", "Head\n\nOne two three.\n\na\nb\n1 < 2"), (answer.Status, answer.Text("output", "title"), answer.Text("output", "text")!.Trim()));
        Assert.Equal((200, "text/html"), (answer.Json.GetProperty("output").GetProperty("status").GetInt32(), answer.Text("output", "contentType")));
        Assert.Equal(new IPEndPoint(Public, Port), Assert.Single(_connected));
    }

    [Theory]
    [InlineData("http://127.0.0.1")]
    [InlineData("http://2130706433")]
    [InlineData("http://0x7f000001")]
    [InlineData("http://0177.0.0.1")]
    [InlineData("http://0x7f.1")]
    [InlineData("http://127.1")]
    [InlineData("http://0")]
    [InlineData("http://[::1]")]
    [InlineData("http://[::ffff:127.0.0.1]")]
    [InlineData("http://[::ffff:7f00:1]")]
    [InlineData("http://[64:ff9b::7f00:1]")]
    [InlineData("http://[2002:7f00:1::]")]
    [InlineData("http://169.254.169.254")]
    [InlineData("http://100.100.100.200")]
    public async Task An_address_of_our_own_is_refused_however_it_is_written(string url)
    {
        var answer = await FetchAsync(url + "/latest/meta-data");
        Assert.Equal((422, "address_not_allowed"), (answer.Status, answer.Text("code")));
        Assert.Empty(_connected);
    }

    [Theory]
    [InlineData("inner.test", "10.0.0.5")]
    [InlineData("local.test", "127.0.0.1")]
    [InlineData("six.test", "fd00::1")]
    [InlineData("mapped.test", "::ffff:169.254.169.254")]
    public async Task A_name_of_an_address_of_our_own_is_refused(string name, string address)
    {
        Name(name, [Public, IPAddress.Parse(address)]);
        var answer = await FetchAsync(At(name));
        Assert.Equal((422, "address_not_allowed"), (answer.Status, answer.Text("code")));
        Assert.Contains("allowHosts", answer.Text("detail"), StringComparison.Ordinal);
        Assert.Empty(_connected);
    }

    [Fact]
    public async Task A_name_that_changes_its_address_after_the_check_is_not_asked_again()
    {
        Name("rebind.test", [Public], [IPAddress.Loopback]);
        Html("<p>x</p>");

        Assert.Equal(200, (await FetchAsync(At("rebind.test"))).Status);
        Assert.Equal(Public, Assert.Single(_connected).Address);
        // A second call has a connection of its own, and with it a check of its own.
        Assert.Equal("address_not_allowed", (await FetchAsync(At("rebind.test"))).Text("code"));
        Assert.Single(_connected);
    }

    [Theory]
    [InlineData("http://127.0.0.1:{0}/secret", "address_not_allowed")]
    [InlineData("http://inner.test:{0}/", "address_not_allowed")]
    [InlineData("file:///etc/passwd", "fetch_refused")]
    [InlineData("http://public.test:22/", "fetch_refused")]
    [InlineData("http://user:pass@public.test:{0}/", "fetch_refused")]
    public async Task A_redirect_is_checked_as_the_first_url_was(string to, string code)
    {
        Name("inner.test", [IPAddress.Parse("192.168.0.1")]);
        _server.Answer = Redirect(string.Format(System.Globalization.CultureInfo.InvariantCulture, to, Port));
        var answer = await FetchAsync(At("public.test"));
        Assert.Equal((422, code), (answer.Status, answer.Text("code")));
        Assert.Single(_server.Seen);
    }

    [Fact]
    public async Task A_redirect_is_followed_and_a_circle_is_not()
    {
        _server.Answer = http => http.Request.Path == "/start" ? Redirect("/end")(http) : http.Response.WriteAsync("there");
        var answer = await FetchAsync(At("public.test") + "start");
        Assert.Equal(("there", At("public.test") + "end"), (answer.Text("output", "text"), answer.Text("output", "url")));

        _server.Answer = Redirect("/again");
        Assert.Contains("more than 5 times", (await FetchAsync(At("public.test"))).Text("detail"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ftp://public.test/")]
    [InlineData("file:///etc/passwd")]
    [InlineData("gopher://public.test/")]
    [InlineData("http://public.test:22/")]
    [InlineData("http://user:pass@public.test/")]
    [InlineData("/relative")]
    [InlineData("nothing")]
    public async Task What_is_no_plain_url_of_the_web_is_refused(string url)
    {
        var answer = await FetchAsync(url);
        Assert.Equal((422, "fetch_refused", "/url"), (answer.Status, answer.Text("code"), answer.Text("field")));
    }

    [Fact]
    public async Task An_operator_may_allow_a_host_of_ones_own()
    {
        Html("<p>wiki</p>");
        Assert.Equal("wiki", (await FetchAsync(At("allowed.test"))).Text("output", "text"));
    }

    [Fact]
    public async Task Nothing_of_ours_goes_out_with_the_request()
    {
        Html("x");
        await FetchAsync(At("public.test"));
        await FetchAsync(At("public.test"));
        var headers = _server.Seen[1].Headers.Keys.Order(StringComparer.Ordinal);
        Assert.Equal(["accept", "accept-encoding", "host", "user-agent"], headers);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_too_long_is_cut_off_and_a_bomb_does_not_go_off(bool compressed)
    {
        _server.Answer = async http =>
        {
            http.Response.ContentType = "text/plain";
            if (compressed) http.Response.Headers.ContentEncoding = "gzip";
            await using var body = compressed ? new GZipStream(http.Response.Body, CompressionLevel.Optimal) : http.Response.Body;
            var zeros = new byte[1024 * 1024];
            for (var i = 0; i < 200 && !http.RequestAborted.IsCancellationRequested; i++) await body.WriteAsync(zeros, http.RequestAborted);
        };

        var answer = await FetchAsync(At("public.test"));

        Assert.Equal((200, true, 4_096), (answer.Status, answer.Json.GetProperty("output").GetProperty("truncated").GetBoolean(), answer.Text("output", "text")!.Length));
    }

    [Fact]
    public async Task What_is_no_text_is_refused_and_what_breaks_off_fails()
    {
        _server.Answer = http =>
        {
            http.Response.ContentType = "image/png";
            return Task.CompletedTask;
        };
        Assert.Equal("fetch_refused", (await FetchAsync(At("public.test"))).Text("code"));

        _server.Answer = async http =>
        {
            http.Response.ContentLength = 1_000;
            await http.Response.WriteAsync("half");
            http.Abort();
        };
        var broken = await FetchAsync(At("public.test"));
        Assert.Equal((502, "tool_failed"), (broken.Status, broken.Text("code")));
        Name("nowhere.test", []);
        Assert.Equal((502, "tool_failed"), ((await FetchAsync(At("nowhere.test"))).Status, (await FetchAsync(At("nowhere.test"))).Text("code")));
    }

    [Fact]
    public async Task A_server_that_says_nothing_is_left()
    {
        _server.Answer = Receiver.Silence;
        var call = FetchAsync(At("public.test"));
        await GatewayHost.UntilAsync(() => _server.Seen.Count == 1);
        _host.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal((504, "tool_timed_out"), ((await call).Status, (await call).Text("code")));
    }

    [Theory]
    [InlineData("<p>a</p", "a")]
    [InlineData("<script>x", "")]
    [InlineData("a<script src='>'>no</script>b", "ab")]
    [InlineData("<<<a", "<<")]
    [InlineData("<!-- open", "")]
    [InlineData("&lt;b&gt;", "<b>")]
    [InlineData("a <br/>b", "a\nb")]
    public void Broken_html_is_read_as_far_as_it_goes(string html, string text) => Assert.Equal(text, PageText.Read(html).Text);

    [Fact]
    public void A_page_of_nothing_but_tags_takes_linear_time()
    {
        var watch = System.Diagnostics.Stopwatch.StartNew();
        PageText.Read(string.Concat(Enumerable.Repeat("<a href=\"", 300_000)));
        PageText.Read(new string('<', 1_000_000));
        PageText.Read(string.Concat(Enumerable.Repeat("<!--", 300_000)));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"took {watch.Elapsed}");
    }

    private string At(string host) => $"http://{host}:{Port}/";

    private Task<Answer> FetchAsync(string url) => _host.PostAsync("/v1/tools/http_fetch", $$"""{"url": "{{url}}"}""");

    private void Html(string html) => _server.Answer = http =>
    {
        http.Response.ContentType = "text/html; charset=utf-8";
        http.Response.Headers.SetCookie = "a=b";
        return http.Response.WriteAsync(html);
    };

    private static Func<HttpContext, Task> Redirect(string to) => http =>
    {
        http.Response.StatusCode = 302;
        http.Response.Headers.Location = to;
        return Task.CompletedTask;
    };

    private void Name(string name, params IPAddress[][] answers) => _names[name] = new Queue<IPAddress[]>(answers);

    private Task<IPAddress[]> ResolveAsync(string host, CancellationToken ct)
    {
        var answers = _names[host];
        return Task.FromResult(answers.Count > 1 ? answers.Dequeue() : answers.Peek());
    }

    /// <summary>Public addresses are the test's own server; what would be connected to is noted.</summary>
    private async Task<Stream> ConnectAsync(IPEndPoint address, CancellationToken ct)
    {
        lock (_connected) _connected.Add(address);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, address.Port), ct);
        return new NetworkStream(socket, ownsSocket: true);
    }
}
